"""What is wrong with stations and EVs in the field, by name: a scenario orders it, small pure pieces do it."""
