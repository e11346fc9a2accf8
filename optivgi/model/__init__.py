"""Pure vocabulary shared by the optimizer, the CSMS and the simulator: standard library and numpy only."""
