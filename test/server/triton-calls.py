"""The documented calls of tritonclient.http, against the server at argv[1], with the picture at argv[2]; what they gave as JSON."""
import json
import sys

import numpy
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1])
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready("texts"),
    "metadata": client.get_model_metadata("texts")["name"],
    "config": client.get_model_config("texts")["name"],
}
assert client.get_server_metadata()["name"] == "labelstream"

texts = numpy.array(["a sailing boat".encode(), "zwei Hunde, groß".encode()], dtype=object)


def infer(binary, **options):
    tensor = triton.InferInput("text", [2], "BYTES")
    tensor.set_data_from_numpy(texts, binary_data=binary)
    wanted = [triton.InferRequestedOutput("features", binary_data=binary)]
    return client.infer("texts", [tensor], outputs=wanted, **options).as_numpy("features").tolist()


found["binary"] = infer(True)
found["json"] = infer(False)
found["compressed"] = infer(True, request_compression_algorithm="gzip")
with open(sys.argv[2], "rb") as file:
    picture = triton.InferInput("image", [1], "BYTES")
    picture.set_data_from_numpy(numpy.array([file.read()], dtype=object))
found["caption"] = client.infer("vit-gpt2", [picture]).as_numpy("caption")[0].decode()
client.unload_model("texts")
found["unloaded"] = client.is_model_ready("texts")
client.load_model("texts")
found["loaded"] = client.is_model_ready("texts")
index = {model["name"]: model["state"] for model in client.get_model_repository_index()}
assert index["texts"] == "READY", index
found["counted"] = client.get_inference_statistics("texts")["model_stats"][0]["inference_count"]
try:
    client.get_model_metadata("nobody")
except triton.InferenceServerException as error:
    found["error"] = str(error)
try:
    client.get_system_shared_memory_status()
except triton.InferenceServerException as error:
    found["absent"] = str(error)
print(json.dumps(found))
