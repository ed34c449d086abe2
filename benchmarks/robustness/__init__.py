"""Behaviour at extreme parameters, and changes of the code that no test notices."""
