"""The optimizer: reads EVs from a CSMS, plans, and sends SetChargingProfile so that the site stays under its limit."""
