"""Makes models/banknote-classifier: genuine or forged, from four statistics of a banknote's image.

A network of 12 hidden units, fitted with scikit-learn on UCI data set 267 (CC BY 4.0) and written as
ONNX nodes by hand, its scaler inside: a caller can forget a scaler, and has done so before."""

import hashlib
import struct
import warnings

import bundle
import numpy as np
from onnx import helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

FIELDS = ["variance", "skewness", "curtosis", "entropy"]
LABELS = ["genuine", "forged"]
FOLDS = 10
SHUFFLES = 5
BATCH_SIZES = [1, 16]
FOLDER = bundle.MODELS / "banknote-classifier"
# Written for this file, near the middle of either class and between them; no rows of the data set.
EXAMPLES = [
    [3.9, 8.1, -2.9, -0.6],
    [-3.2, -4.4, 5.6, 0.1],
    [0.4, 0.9, 0.6, -1.3],
    [0.0, 0.0, 0.0, 0.0],
]


def read_rows():
    path = bundle.shared_directory() / "data" / "banknote" / "BankNote_Authentication.csv"
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    return rows[:, :4], rows[:, 4].astype(np.int64)


def fit(values, classes):
    scaler = StandardScaler().fit(values)
    network = MLPClassifier((12,), alpha=0.01, solver="lbfgs", max_iter=2000, random_state=7)
    with warnings.catch_warnings():
        # The classes separate, so the optimiser may stop at its limit with the loss nearly flat.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaler.transform(values), classes)
    return scaler, network


def cross_validate(values, classes, groups, seed):
    """Out-of-fold probability of `forged` and fold number per row; equal rows share a fold."""
    folds = np.zeros(len(classes), np.int64)
    forged = np.zeros(len(classes))
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (train, test) in enumerate(splitter.split(values, classes, groups)):
        scaler, network = fit(values[train], classes[train])
        forged[test] = network.predict_proba(scaler.transform(values[test]))[:, 1]
        folds[test] = fold
    return folds, forged


def row_hash(row) -> str:
    """First 12 hex digits of the SHA-256 of the four fields as little-endian float64."""
    return hashlib.sha256(struct.pack("<4d", *row)).hexdigest()[:12]


def write_model(scaler, network) -> None:
    # probability(forged) = sigmoid(z) = softmax([0, z])[1]. Items are columns of their own, on the right of each
    # MatMul: it then multiplies item by item, and an item's last bits cannot depend on its batch. With the items
    # as rows on the left onnxruntime makes one product of the whole batch, and they do.
    constants = {
        "mean": scaler.mean_,
        "scale": scaler.scale_,
        "hidden_weights": network.coefs_[0].T[None],
        "hidden_bias": network.intercepts_[0][:, None],
        "output_weights": np.hstack([np.zeros((12, 1)), network.coefs_[1]]).T[None],
        "output_bias": np.array([[0.0], network.intercepts_[1]]),
    }
    nodes = [
        helper.make_node("Sub", ["values", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "axis"], ["columns"]),
        helper.make_node("MatMul", ["hidden_weights", "columns"], ["hidden_products"]),
        helper.make_node("Add", ["hidden_products", "hidden_bias"], ["hidden_sums"]),
        helper.make_node("Relu", ["hidden_sums"], ["hidden"]),
        helper.make_node("MatMul", ["output_weights", "hidden"], ["output_products"]),
        helper.make_node("Add", ["output_products", "output_bias"], ["logit_columns"]),
        helper.make_node("Squeeze", ["logit_columns", "axis"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    initializers = [bundle.constant(name, value.astype(np.float32)) for name, value in constants.items()]
    initializers.append(bundle.constant("axis", np.array([2], np.int64)))
    bundle.save_model(
        FOLDER / "model.onnx",
        "banknote-classifier",
        nodes,
        [("values", "float32", ["batch", 4])],
        [("probabilities", "float32", ["batch", 2])],
        initializers,
    )


def describe_quality(values, classes, groups):
    accuracies, losses = [], []
    for seed in range(SHUFFLES):
        folds, forged = cross_validate(values, classes, groups, seed)
        right = (forged > 0.5) == (classes == 1)
        if seed == 0:
            first = (folds, forged, right)
        accuracies.append(float(right.mean()))
        losses.append(float(log_loss(classes, forged)))
    folds, forged, right = first
    by_fold = [float(right[folds == fold].mean()) for fold in range(FOLDS)]
    quality = {
        "crossValidatedAccuracy": round(float(right.mean()), 6),
        "folds": FOLDS,
        "rows": len(classes),
        "distinctRows": int(groups.max()) + 1,
        "duplicatedRowsGrouped": True,
        "foldAccuracyMin": round(min(by_fold), 6),
        "foldAccuracyStandardDeviation": round(float(np.std(by_fold)), 6),
        "repeatedWithOtherFolds": [round(value, 6) for value in accuracies],
        "crossValidatedLogLoss": round(losses[0], 6),
    }
    return quality, first


def write_cross_validation(values, classes, outcome, quality) -> None:
    folds, forged, right = outcome
    rows = {}
    for row, fold, probability, known in zip(values, folds, forged, classes):
        rows[row_hash(row)] = [int(fold), LABELS[int(probability > 0.5)], LABELS[int(known)]]
    bundle.write_json(
        FOLDER / "cross-validation.json",
        {
            "row": "first 12 hex digits of SHA-256 over variance, skewness, curtosis, entropy as little-endian float64",
            "columns": ["fold", "predicted by the model that did not see the fold", "known"],
            "folds": FOLDS,
            "accuracy": quality["crossValidatedAccuracy"],
            "correct": int(right.sum()),
            "count": len(classes),
            "rows": "ROWS",
        },
    )
    path = FOLDER / "cross-validation.json"
    lines = ",\n".join(f'    "{key}": {bundle.json.dumps(rows[key])}' for key in sorted(rows))
    path.write_text(path.read_text("utf-8").replace('"ROWS"', "{\n" + lines + "\n  }"), "utf-8")


def main() -> None:
    values, classes = read_rows()
    _, groups = np.unique(values, axis=0, return_inverse=True)
    quality, outcome = describe_quality(values, classes, groups)
    write_model(*fit(values, classes))
    write_cross_validation(values, classes, outcome, quality)

    session = bundle.open_session(FOLDER / "model.onnx")
    inputs = values.astype(np.float32)
    run = lambda items: session.run(None, {"values": inputs[items]})[0]  # noqa: E731
    bundle.prove_batch_invariance(run, 256, BATCH_SIZES, seed=1)
    answers = session.run(None, {"values": np.array(EXAMPLES, np.float32)})[0]
    known = [
        {
            "input": {"kind": "values", "values": dict(zip(FIELDS, example))},
            "output": bundle.decimals(answer),
            "tolerance": 1e-6,
        }
        for example, answer in zip(EXAMPLES, answers)
    ]
    manifest = {
        "name": "banknote-classifier",
        "version": "1.0.0",
        "task": "record-prediction",
        "licence": "MIT",
        "source": "scripts/models/banknote_classifier.py, fitted on UCI data set 267, banknote authentication (CC BY 4.0)",
        "preprocessing": {"kind": "values", "input": "values", "fields": FIELDS},
        "postprocessing": {"kind": "scores", "output": "probabilities"},
        "labels": LABELS,
        "executedShapes": {"batchSizes": BATCH_SIZES},
        "reproducible": True,
        "knownAnswers": known,
        "quality": quality,
    }
    bundle.write_manifest(FOLDER, manifest)
    print(bundle.json.dumps(quality, indent=2))


if __name__ == "__main__":
    main()
