"""Closed-loop studies: sessions replayed against planning algorithms, on the simulator's physics, without OCPP."""
