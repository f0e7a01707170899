"""As much of HL7 v2 as the tests need to read a message for themselves: framing, segments, fields, components."""

from __future__ import annotations

from typing import Iterator

START, END = b"\x0b", b"\x1c\r"  # of a message in MLLP framing


def unframed(data: bytes) -> bytes:
    """A message without its framing."""
    return data.removeprefix(START).removesuffix(END)


def messages(stream: bytes) -> list[bytes]:
    """The messages of a stream in MLLP framing."""
    frames = stream.split(END)
    if frames.pop() or not all(frame.startswith(START) for frame in frames):
        raise ValueError("not in MLLP framing")
    return [unframed(frame) for frame in frames]


class Segment:
    """A segment, its fields numbered as HL7 numbers them."""

    def __init__(self, text: str):
        fields = text.split("|")
        self.name = fields[0]
        self.fields = [self.name, "|", *fields[1:]] if self.name == "MSH" else fields

    def __call__(self, field: int, component: int | None = None) -> str:
        """A field, or a component of its first repetition; '' if there is none."""
        value = self.fields[field].strip() if field < len(self.fields) else ""
        if component is None:
            return value
        parts = value.split("~")[0].split("^")
        return parts[component - 1].strip() if component <= len(parts) else ""


class Message:
    """The segments of a message with the usual separators, in their order."""

    def __init__(self, data: bytes):
        text = unframed(data).decode("utf-8").removeprefix("\ufeff")
        self.segments = [Segment(line) for line in text.replace("\n", "\r").split("\r") if line.strip()]

    def all(self, name: str) -> list[Segment]:
        return [segment for segment in self.segments if segment.name == name]

    def first(self, name: str, field: int, component: int | None = None) -> str:
        """A value of the first segment of that name; '' if there is none."""
        return next((segment(field, component) for segment in self.all(name)), "")

    def groups(self, name: str) -> Iterator[tuple[Segment | None, Segment]]:
        """Each segment of that name, with the nearest ORC before it."""
        order = None
        for segment in self.segments:
            if segment.name == "ORC":
                order = segment
            elif segment.name == name:
                yield order, segment

    @property
    def type(self) -> str:
        """Message and trigger, as ADT^A01."""
        return f"{self.first('MSH', 9, 1)}^{self.first('MSH', 9, 2)}"
