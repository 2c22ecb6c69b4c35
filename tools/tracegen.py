#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turn the list of trace events (spec/trace.events) into C or into a page.

usage: tracegen.py events|table|page SPEC [OUTPUT]

  events  structs, and a typed function for each event (base/trace.h)
  table   the same as data, for whoever reads records (trace/table.h)
  page    docs/TRACING.md, from docs/tracing.in.md beside SPEC's folder

The list is lines of words; '#' starts a comment line.

  enum NAME WORD...           words for values 0, 1, 2 ...
  flow NAME TEXT              what an arrow means
  event NAME SHAPE TRACK      its lines follow:
    text TEXT                 what has happened
    label TEXT                the name in a viewer; {FIELD} is replaced
    field TYPE NAME [as FORMAT] [TEXT]
    in FLOW FIELD [FIELD]     an arrow from the last "out" of the same values ends here
    out FLOW FIELD [FIELD]
    ends EVENT                of an end: which event began the slice
    colour NAME               one of the trace format's reserved names

SHAPE: begin and end of a slice, instant, or span: a whole slice, told when it is
over, with a field dur. TRACK: where it is drawn; tracks of queues need fields client
and queue, those of moves client, gpu and bo, those of engines client, gpu and type.
TYPE: u8 u32 u64 s32 text16. FORMAT: hex bytes ns errno client ioctl packet enum:NAME.
All fields of an event take at most 40 bytes.
"""
import os
import re
import sys

TYPES = {"u8": ("uint8_t", 1), "u32": ("uint32_t", 4), "s32": ("int32_t", 4),
         "u64": ("uint64_t", 8), "text16": ("char", 16)}
FORMATS = {"hex", "bytes", "ns", "errno", "ioctl", "packet", "client", "plain"}
SHAPES = ("begin", "end", "instant", "span")
TRACKS = {"task": (), "worker": (), "process": ("client",), "queue": ("client", "queue"),
          "move": ("client", "gpu", "bo"), "engine": ("client", "gpu", "type"), "trace": ()}
# Of the names that viewers know (the format's "cname"), those that say something here.
COLOURS = {"terrible", "bad", "good", "thread_state_iowait", "thread_state_running",
           "thread_state_sleeping"}
PAYLOAD = 40
FIELDS = 6


class SpecError(Exception):
    pass


class Event:
    def __init__(self, name, shape, track):
        self.name, self.shape, self.track = name, shape, track
        self.text = self.label = self.ends = self.colour = ""
        self.fields = []  # (type, name, format, text, offset)
        self.flows = {}   # "in", "out" -> (flow, fields)
        self.size = 0

    def field(self, kind, name, fmt, text):
        size = TYPES[kind][1]
        align = 1 if kind == "text16" else size
        offset = -(-self.size // align) * align
        self.size = offset + size
        if self.size > PAYLOAD or len(self.fields) == FIELDS:
            raise SpecError(f"{self.name}: more than {FIELDS} fields or {PAYLOAD} bytes")
        self.fields.append((kind, name, fmt, text, offset))

    def index(self, name):
        for i, f in enumerate(self.fields):
            if f[1] == name:
                return i
        raise SpecError(f"{self.name}: no field {name}")


class Spec:
    def __init__(self, text):
        self.enums, self.flows, self.events = {}, {}, []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                self.take(line.split())
            except (SpecError, ValueError, IndexError, KeyError) as e:
                raise SpecError(f"line {number}: {e}") from None
        for e in self.events:
            self.check(e)

    def take(self, words):
        head, rest = words[0], words[1:]
        if head == "enum":
            self.enums[rest[0]] = rest[1:]
        elif head == "flow":
            self.flows[rest[0]] = " ".join(rest[1:])
        elif head == "event":
            name, shape, track = rest
            if shape not in SHAPES or track not in TRACKS or any(e.name == name for e in self.events):
                raise SpecError(f"event {name}: bad shape or track, or a second of that name")
            self.events.append(Event(name, shape, track))
        elif head in ("text", "label", "ends", "colour"):
            if head == "colour" and rest[0] not in COLOURS:
                raise SpecError(f"no colour {rest[0]}")
            setattr(self.events[-1], head, " ".join(rest))
        elif head == "field":
            fmt, text = "plain", rest[2:]
            if text[:1] == ["as"]:
                fmt, text = text[1], text[2:]
            if fmt not in FORMATS and fmt.removeprefix("enum:") not in self.enums:
                raise SpecError(f"unknown format {fmt}")
            self.events[-1].field(rest[0], rest[1], fmt, " ".join(text))
        elif head in ("in", "out"):
            if rest[0] not in self.flows or not 2 <= len(rest) <= 3:
                raise SpecError(f"bad flow {rest}")
            self.events[-1].flows[head] = (rest[0], rest[1:])
        else:
            raise SpecError(f"unknown word {head}")

    def check(self, e):
        for name in TRACKS[e.track] + (("dur",) if e.shape == "span" else ()):
            e.index(name)
        for _, fields in e.flows.values():
            for name in fields:
                e.index(name)
        for name in re.findall(r"{(\w+)}", e.label):
            e.index(name)
        if not e.text or (e.shape != "end" and not e.label):
            raise SpecError(f"{e.name}: no text, or no label")
        if (e.shape == "end") != bool(e.ends) or (e.ends and self.beginning(e).track != e.track):
            raise SpecError(f"{e.name}: an end, and no other, ends a slice of its track")

    def beginning(self, e):
        """The event that began the slice which @e ends."""
        for b in self.events:
            if b.name == e.ends and b.shape == "begin":
                return b
        raise SpecError(f"{e.name}: nothing begins as {e.ends}")

    def told(self, e, name):
        """Whether a viewer knows the field @name of @e without being told."""
        if e.shape == "span" and name == "dur":
            return True
        return bool(e.ends) and any(f[1] == name for f in self.beginning(e).fields)


def c_param(field):
    kind, name = field[:2]
    return f"const char {name}[16]" if kind == "text16" else f"{TYPES[kind][0]} {name}"


def c_member(field):
    kind, name = field[:2]
    return f"\tchar {name}[16];" if kind == "text16" else f"\t{TYPES[kind][0]} {name};"


def c_argument(field):
    """Of a text its address: what looks like an array parameter is none."""
    return f"&{field[1]}[0]" if field[0] == "text16" else field[1]


def c_event(e):
    up, struct = e.name.upper(), f"struct vkf_trace_{e.name}"
    params = (["uint64_t begin_ns"] if e.shape == "span" else []) + [c_param(f) for f in e.fields]
    copies = "".join(f"\t\tmemcpy(a.{f[1]}, {f[1]}, sizeof(a.{f[1]}));\n" if f[0] == "text16" else
                     f"\t\ta.{f[1]} = {f[1]};\n" for f in e.fields)
    when = "begin_ns" if e.shape == "span" else "0"
    body = "\n".join(c_member(f) for f in e.fields)
    return f"""/* {e.text} */
{struct} {{
{body}
}};
_Static_assert(sizeof({struct}) <= VKF_TRACE_PAYLOAD, "too large a record");

static inline void vkf_trace_{e.name}({", ".join(params)})
{{
	VKF_TRACE_PROBE({len(e.fields)}, {e.name}, {", ".join(c_argument(f) for f in e.fields)});
	if (vkf_trace_is_on()) {{
		{struct} a;

		/* What lies between the fields is told, too. */
		memset(&a, 0, sizeof(a));
{copies}		vkf_trace_emit(VKF_TRACE_{up}, {when}, &a, sizeof(a));
	}}
}}
"""


def events(spec):
    ids = "\n".join(f"\tVKF_TRACE_{e.name.upper()}," for e in spec.events)
    enums = "\n".join(
        "enum vkf_trace_%s {\n%s\n};" % (name, "\n".join(
            f"\tVKF_TRACE_{name.upper()}_{w.upper()} = {i}," for i, w in enumerate(words)))
        for name, words in spec.enums.items())
    return f"""/* Made from spec/trace.events by tools/tracegen.py. Included by base/trace.h only. */
#ifndef SPEC_TRACE_EVENTS_H
#define SPEC_TRACE_EVENTS_H

enum vkf_trace_event {{
{ids}
	VKF_TRACE_N_EVENTS,
}};

{enums}

{chr(10).join(c_event(e) for e in spec.events)}
#define VKF_TRACE_EVENT_NAMES {", ".join(f'"{e.name}"' for e in spec.events)}

#endif
"""


def c_flow(spec, e, way):
    if way not in e.flows:
        return "{ 0 }"
    flow, fields = e.flows[way]
    second = e.index(fields[1]) if len(fields) > 1 else -1
    return f"{{ {list(spec.flows).index(flow) + 1}, {e.index(fields[0])}, {second} }}"


def c_field(spec, e, field):
    kind, name, fmt, _, offset = field
    names = fmt.removeprefix("enum:")
    form, words = ("ENUM", f"trace_enum_{names}") if fmt.startswith("enum:") else (fmt.upper(), "NULL")
    n = f"VKF_ARRAY_SIZE(trace_enum_{names})" if words != "NULL" else "0"
    return (f'{{ "{name}", {offset}, {TYPES[kind][1]}, {"true" if kind == "s32" else "false"}, '
            f"TRACE_FORMAT_{form}, {words}, {n}, {'true' if spec.told(e, name) else 'false'} }}")


def table(spec):
    enums = "\n".join("static const char *const trace_enum_%s[] = { %s };" %
                      (n, ", ".join(f'"{w}"' for w in words)) for n, words in spec.enums.items())
    rows = []
    for e in spec.events:
        fields = "\n".join(f"\t\t\t{c_field(spec, e, f)}," for f in e.fields)
        rows.append(f"""	{{
		"{e.name}", "{e.label}", {f'"{e.colour}"' if e.colour else "NULL"},
		TRACE_SHAPE_{e.shape.upper()}, TRACE_TRACK_{e.track.upper()},
		{len(e.fields)}, {{
{fields}
		}}, {c_flow(spec, e, "in")}, {c_flow(spec, e, "out")},
	}},""")
    flows = ", ".join(f'"{t}"' for t in ["", *spec.flows.values()])
    body = "\n".join(rows)
    return f"""/* Made from spec/trace.events by tools/tracegen.py. Included by trace/table.c only. */
{enums}

static const char *const trace_flow_names[] = {{ {flows} }};

static const struct trace_desc trace_descs[] = {{
{body}
}};
"""


TRACK_TEXT = {
    "task": "a task of the driver that works for a program, in the program's group",
    "worker": "the same, when it evicts or restores the program",
    "process": "the program as a whole", "queue": "one queue, in the program's group",
    "move": "buffers of one GPU that move, in the GPU's group",
    "engine": "what a program's engine does for one GPU, in the GPU's group",
    "trace": "the trace itself",
}


def page(spec, path):
    lines = []
    for track, what in TRACK_TEXT.items():
        lines += [f"### Track: {what}", "", "| event | | fields |", "|---|---|---|"]
        for e in spec.events:
            if e.track != track:
                continue
            fields = ", ".join(f"`{f[1]}`" for f in e.fields)
            arrows = [f"an arrow *{spec.flows[e.flows[w][0]]}* {verb} here"
                      for w, verb in (("in", "ends"), ("out", "begins")) if w in e.flows]
            text = e.text + ("" if not arrows else " " + "; ".join(arrows).capitalize() + ".")
            lines.append(f"| `{e.name}` ({e.shape}) | {text} | {fields} |")
        lines.append("")
    notes = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(path))), "docs", "tracing.in.md")
    with open(notes, encoding="utf-8") as f:
        return f.read().replace("@EVENTS@\n", "\n".join(lines))


def main():
    what, path = sys.argv[1:3]
    try:
        with open(path, encoding="utf-8") as f:
            spec = Spec(f.read())
        text = page(spec, path) if what == "page" else {"events": events, "table": table}[what](spec)
    except SpecError as e:
        print(f"{path}: {e}", file=sys.stderr)
        return 1
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as f:
            f.write(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
