"""Answers requests, one line of JSON each, with what kombu makes of them."""

import base64
import datetime
import json
import sys
import uuid
from decimal import Decimal

import kombu
from kombu import compression, serialization

NAMES = {"datetime": datetime, "Decimal": Decimal, "UUID": uuid.UUID, "nan": float("nan"), "inf": float("inf")}
ACCEPT = serialization.prepare_accept_content(["json", "yaml", "msgpack", "pickle"])


def answer(request):
    """What kombu reads or writes."""
    if request["do"] == "version":
        return {"version": kombu.__version__, "compressions": sorted(compression.encoders())}
    if request["do"] == "read":
        body = base64.b64decode(request["body"])
        value = serialization.loads(body, request["type"], request["encoding"], accept=ACCEPT)
        return {"repr": repr(value)}
    if request["do"] == "write":
        value = eval(request["expression"], dict(NAMES))
        content_type, encoding, body = serialization.dumps(value, request["serializer"])
        body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        return {"type": content_type, "encoding": encoding, "body": base64.b64encode(body).decode()}
    if request["do"] == "compress":
        body, content_type = compression.compress(base64.b64decode(request["body"]), request["name"])
        return {"type": content_type, "body": base64.b64encode(body).decode()}
    body = compression.decompress(base64.b64decode(request["body"]), request["name"])
    return {"body": base64.b64encode(body).decode()}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
