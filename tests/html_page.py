"""What a browser would find in a page, without a browser."""

import json
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go


class Page(HTMLParser):
    """Its tags, what they load or lead to, the cells of its tables, its data, and its words without the scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.data: list[Any] = []
        self.text = ""
        self._data = False
        self.feed(text)

    @property
    def figures(self) -> list[go.Figure]:
        return [go.Figure(data) for data in self.data if "layout" in data]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attributes)
        self.loads += [str(named[name]) for name in ("src", "href", "srcset", "data", "action") if name in named]
        self._data = named.get("type") == "application/json"
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._data:
            self.data.append(json.loads(data))
            self._data = False
        elif self.tags[-1:] == ["td"]:
            self.rows[-1][-1] += data.rstrip("\n")
        if self.tags[-1:] not in (["script"], ["style"]):
            self.text += data
