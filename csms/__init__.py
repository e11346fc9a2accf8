"""The bundled CSMS: OCPP in; REST, GraphQL and AMQP out, in the shape of CitrineOS 1.8.3."""
