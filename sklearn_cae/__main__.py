"""Command line: ``sklearn-cae``, or ``python -m sklearn_cae``.

``sklearn-cae --help`` lists the commands, ``sklearn-cae fit --help`` the options of one.
"""

from ._command import main

if __name__ == "__main__":
    main()
