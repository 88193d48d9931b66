"""Look inside any network of ours, for one picture: its maps, channels, features, modes, and one step of learning."""
