"""Charging stations and EVs as an independent witness: real OCPP, real physics, no knowledge of the CSMS's code."""
