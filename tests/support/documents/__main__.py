"""`make check`: fails where a validator refuses a document: `-m tests.support.documents openapi.yaml asyncapi.yaml`."""

import sys
from pathlib import Path

import yaml

from tests.support.documents import asyncapi_errors, openapi_errors

if __name__ == "__main__":
    openapi, asyncapi = (yaml.safe_load(Path(name).read_text()) for name in sys.argv[1:])
    wrong = [f"OpenAPI: {error}" for error in openapi_errors(openapi)]
    wrong += [f"AsyncAPI: {error}" for error in asyncapi_errors(asyncapi)]
    sys.exit("\n".join(wrong) or None)
