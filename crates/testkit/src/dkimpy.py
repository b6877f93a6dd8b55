# Verifies every DKIM signature of every message with dkimpy. In: JSON {"records": {name: text}, "messages": [hex]}
# on standard input. Out: a JSON list per message of {"domain", "algorithm", "reason"}, reason null when it holds.
import json
import re
import sys

import dkim

question = json.load(sys.stdin)
records = {name.rstrip(".").lower(): text.encode() for name, text in question["records"].items()}


def answer(name, timeout=5):
    return records.get(name.decode().rstrip(".").lower(), b"")


def tag(value, name):
    found = re.search(rb"(?:^|;)\s*" + name + rb"\s*=\s*([^;\s]+)", value)
    return found.group(1).decode() if found else ""


def verify(message):
    count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
    signatures = []
    for index in range(count):
        checked = dkim.DKIM(message)
        value = [value for name, value in checked.headers if name.lower() == b"dkim-signature"][index]
        try:
            reason = None if checked.verify(idx=index, dnsfunc=answer) else "the signature does not hold"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        signatures.append({"domain": tag(value, b"d"), "algorithm": tag(value, b"a"), "reason": reason})
    return signatures


json.dump([verify(bytes.fromhex(message)) for message in question["messages"]], sys.stdout)
