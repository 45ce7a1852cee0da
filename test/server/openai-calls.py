"""The calls of openai's client for embeddings, against the server at argv[1] with the key argv[2]; what they gave as JSON."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2], max_retries=0)
texts = ["a sailing boat", "zwei Hunde, groß"]
found = {
    # By default the client asks for base64, and decodes it.
    "base64": [each.embedding for each in client.embeddings.create(model="texts", input=texts).data],
    "float": [each.embedding for each in client.embeddings.create(model="texts", input=texts, encoding_format="float").data],
    "one": client.embeddings.create(model="texts", input=texts[0]).data[0].embedding,
    "models": [model.id for model in client.models.list()],
    "model": client.models.retrieve("texts").id,
}
for name, call in {
    "unknown": lambda: client.embeddings.create(model="nobody", input="a"),
    "empty": lambda: client.embeddings.create(model="texts", input=""),
    "tokens": lambda: client.embeddings.create(model="texts", input=[1, 2, 3]),
    "stranger": lambda: client.with_options(api_key="wrong").embeddings.create(model="texts", input="a"),
}.items():
    try:
        call()
    except openai.APIStatusError as error:
        found[name] = [type(error).__name__, error.code]
print(json.dumps(found))
