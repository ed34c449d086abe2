"""List the commands of the README with their run times and the things that they measure."""

from pathlib import Path


def main():
    for line in Path(__file__).with_name("README.md").read_text().splitlines():
        if line.startswith("| `python -m"):
            command, measured, run_time, _ = line.strip("| ").split(" | ")
            print(f"{command.strip('`'):<44}{run_time:<26}{measured}")


if __name__ == "__main__":
    main()
