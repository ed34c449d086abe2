"""How the package behaves at extreme parameters, and which changes of its code tests notice."""
