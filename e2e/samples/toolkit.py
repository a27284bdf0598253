"""Reads documents with the types of globus-action-provider-tools: JSON on standard input, by the name of the type."""

import json
import sys

import jsonschema
from globus_action_provider_tools import data_types

count = 0
for name, documents in json.load(sys.stdin).items():
    for document in documents:
        read = getattr(data_types, name)(**document)
        if name == "ActionProviderDescription":
            jsonschema.Draft202012Validator.check_schema(read.input_schema)
        count += 1
print(count, "documents")
