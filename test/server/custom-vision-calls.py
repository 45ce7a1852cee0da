"""The documented calls of Custom Vision's prediction client, against the server at argv[1] with the key argv[2], on the image argv[3] and the address argv[4]."""
import json
import sys

from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.prediction.models import CustomVisionErrorException
from msrest.authentication import ApiKeyCredentials

_, endpoint, key, path, address = sys.argv
project = "11111111-2222-3333-4444-555555555555"
client = CustomVisionPredictionClient(endpoint, ApiKeyCredentials(in_headers={"Prediction-key": key}))
with open(path, "rb") as file:
    image = file.read()


def told(result):
    boxes = [each.bounding_box and [each.bounding_box.left, each.bounding_box.top, each.bounding_box.width, each.bounding_box.height] for each in result.predictions]
    return {"project": str(result.project), "predictions": [[each.tag_name, each.probability] for each in result.predictions], "boxes": boxes}


found = {
    "classify_image": told(client.classify_image(project, "drawings", image)),
    "classify_image_with_no_store": told(client.classify_image_with_no_store(project, "drawings", image)),
    "classify_image_url": told(client.classify_image_url(project, "drawings", url=address)),
    "classify_image_url_with_no_store": told(client.classify_image_url_with_no_store(project, "drawings", url=address)),
    "detect_image": told(client.detect_image(project, "detr", image)),
    "detect_image_with_no_store": told(client.detect_image_with_no_store(project, "detr", image)),
    "detect_image_url": told(client.detect_image_url(project, "detr", url=address)),
    "detect_image_url_with_no_store": told(client.detect_image_url_with_no_store(project, "detr", url=address)),
}
for name, call in {
    "unknown": lambda: client.classify_image(project, "nobody", image),
    "no_image": lambda: client.classify_image(project, "drawings", b"no image at all"),
    "elsewhere": lambda: client.classify_image_url(project, "drawings", url="http://169.254.169.254/latest"),
}.items():
    try:
        call()
    except CustomVisionErrorException as error:
        found[name] = [error.response.status_code, error.error.code]
print(json.dumps(found))
