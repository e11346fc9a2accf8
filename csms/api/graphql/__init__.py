"""GraphQL over every table, in Hasura's dialect: `graphql_app(GraphQLService(db), admin_secret)`."""

from csms.api.graphql.app import graphql_app
from csms.api.graphql.service import GraphQLService

__all__ = ["GraphQLService", "graphql_app"]
