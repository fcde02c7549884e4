"""Writes the boards as the JSON that Grafana imports."""

from dashboards.boards import FOLDER, written

if __name__ == "__main__":
    for name, text in written().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
