"""How good a storyteller is: how likely true stories are to it, and how its own ones read."""
