# SPDX-License-Identifier: MIT
"""What holds of a trace that vkfd trace has written, whatever happened (src/trace/chrome.h)."""

import json
import sys

# Of the names that the format reserves, those that are used.
COLOURS = ("terrible", "bad", "good", "thread_state_iowait", "thread_state_running", "thread_state_sleeping")


def no_twice(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key twice: {keys}")
    return dict(pairs)


def no_constant(word):
    raise ValueError(f"{word} is no JSON")


def load(path):
    """The events; nothing that a strict parser would not take."""
    with open(path, encoding="utf-8", errors="strict") as f:
        events = json.load(f, object_pairs_hook=no_twice, parse_constant=no_constant)
    if not isinstance(events, list):
        raise ValueError("no array")
    return events


def slices(events):
    """({(pid, tid): [(begin, end, event)]}, errors) of all tracks."""
    tracks, stacks, errors = {}, {}, []
    for e in events:
        key = (e["pid"], e["tid"])
        if e["ph"] == "B":
            stacks.setdefault(key, []).append(e)
        elif e["ph"] == "E":
            if not stacks.get(key):
                errors.append(f"E without B: {e}")
                continue
            b = stacks[key].pop()
            if e["ts"] < b["ts"]:
                errors.append(f"ends before it begins: {b} {e}")
            tracks.setdefault(key, []).append((b["ts"], e["ts"], b))
        elif e["ph"] == "X":
            if e["dur"] < 0:
                errors.append(f"a negative time: {e}")
            tracks.setdefault(key, []).append((e["ts"], e["ts"] + e["dur"], e))
    errors += [f"B without E: {b}" for stack in stacks.values() for b in stack]
    return tracks, errors


def arrows(events):
    """([(begin event, end event)], errors)"""
    begins, ends, errors = {}, {}, []
    for e in events:
        if e["ph"] in "sf":
            side = begins if e["ph"] == "s" else ends
            if e["id"] in side:
                errors.append(f"an arrow twice: {e}")
            side[e["id"]] = e
    if set(begins) != set(ends):
        errors.append(f"arrows with one end: {set(begins) ^ set(ends)}")
    return [(begins[i], ends[i]) for i in sorted(set(begins) & set(ends))], errors


def slice_at(tracks, event):
    """The innermost slice in which the arrow's end lies, or None."""
    # Times are written in thousandths.
    inside = [s for s in tracks.get((event["pid"], event["tid"]), [])
              if s[0] <= event["ts"] <= s[1] + 0.0005]
    return max(inside, key=lambda s: s[0], default=None)


def overlaps(events):
    """Slices of one track that neither follow nor hold one another: viewers lose one of the two."""
    errors = []
    for spans in slices(events)[0].values():
        stack = []
        for b, e, event in sorted(((round(b * 1000), round(e * 1000), x) for b, e, x in spans),
                                  key=lambda s: (s[0], -s[1])):
            while stack and stack[-1][1] <= b:
                stack.pop()
            if stack and e > stack[-1][1]:
                errors.append(f"neither within nor behind: {stack[-1][2]} {event}")
            stack.append((b, e, event))
    return errors


def names(events, what):
    return {(e["pid"], e["tid"]) if what == "thread_name" else e["pid"]: e["args"]["name"]
            for e in events if e["ph"] == "M" and e["name"] == what}


def check(events):
    """[what is wrong]"""
    tracks, errors = slices(events)
    pairs, more = arrows(events)
    errors += more
    for ends in pairs:
        errors += [f"an arrow's end in no slice: {e}" for e in ends if not slice_at(tracks, e)]
        if ends[0]["ts"] > ends[1]["ts"] + 0.0005:
            errors.append(f"an arrow back in time: {ends}")
    threads, groups = names(events, "thread_name"), names(events, "process_name")
    numbers = [tid for _, tid in threads] + list(groups)
    errors += [f"a number twice: {n}" for n in set(numbers) if numbers.count(n) > 1]
    for e in events:
        if e["ph"] not in "BEXisfM":
            errors.append(f"unknown: {e}")
        if e["ph"] in "BXi" and (e["pid"], e["tid"]) not in threads:
            errors.append(f"on a track without a name: {e}")
        if "cname" in e and e["cname"] not in COLOURS:
            errors.append(f"a colour that viewers do not know: {e}")
        if e["ph"] in "BXi" and e["pid"] not in groups:
            errors.append(f"in a group without a name: {e}")
    return errors


def main():
    events = load(sys.argv[1])
    errors = check(events) + overlaps(events)
    for error in errors[:20]:
        print(error)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
