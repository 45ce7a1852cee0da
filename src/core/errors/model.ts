import { errorFactory, type ErrorArea } from './error.ts';

export const modelErrors = {
  LS_MODEL_MANIFEST: {
    cause: 'configuration',
    retryable: false,
    summary: 'The manifest of a model cannot be read, is no JSON, or does not say what a manifest has to say.',
    remedy: 'Correct manifest.json in the directory of the model; the message lists every mistake.',
  },
  LS_MODEL_NOT_FOUND: {
    cause: 'configuration',
    retryable: false,
    summary: 'A directory holds no model: there is no manifest.json in it.',
    remedy: 'Name the directory of a model, or make one there first: `labelstream models import FILE --to DIRECTORY`.',
  },
  LS_MODEL_FILE_MISSING: {
    cause: 'configuration',
    retryable: false,
    summary: 'A file of a model is not in its directory, or is used without being listed among the files of its manifest.',
    remedy: 'Restore the file, or list it with its SHA-256 and size.',
  },
  LS_MODEL_HASH: {
    cause: 'configuration',
    retryable: false,
    summary: 'A file of a model is not the one that its manifest describes.',
    remedy: 'Restore the file from its source; if it was changed on purpose, give the model a new version and list the new hash.',
  },
  LS_MODEL_EXTERNAL_DATA: {
    cause: 'configuration',
    retryable: false,
    summary: 'An ONNX model keeps weights in a file that its manifest does not list, so that nobody vouches for them.',
    remedy: 'List that file with its SHA-256 and size in the manifest, or store the weights inside the model.',
  },
  LS_MODEL_LOAD: {
    cause: 'configuration',
    retryable: false,
    summary: 'onnxruntime cannot load a model or not execute it in a shape that its manifest lists, the model lacks the inputs and outputs that its manifest names, its tokenizer is refused, or loading it ended the worker.',
    remedy: 'Follow the message: export the model again for onnxruntime 1.30 (opset 7 or newer), with the inputs, outputs and tokenizer of its manifest.',
  },
  LS_MODEL_PROVIDER: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model is to be computed by an execution provider that this build of onnxruntime does not have, or whose device or libraries are not there.',
    remedy: 'Take it out of models.*.executionProviders, which leaves the CPU; or install what the provider needs, as the message of onnxruntime says.',
  },
  LS_MODEL_MEMORY: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model takes more memory than loaded models may, alone, beside the one that it is to replace, or together with all that are loaded at the start.',
    remedy: 'Raise inference.memoryBytesMax, lower inference.workerCount, or set preload: false for models that are seldom asked for.',
  },
  LS_MODEL_OTHER: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model that routes use was to be reloaded while the program runs, and its directory holds another name, version or task, other labels, other dimensions or another `reproducible` now.',
    remedy: 'Put the former model back; or raise models.*.revision, and start the program again. The old model goes on meanwhile.',
  },
  LS_MODEL_KNOWN_ANSWER: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model answers otherwise than its manifest says it must, or answers differently in batches of different sizes.',
    remedy: 'Run `labelstream models verify`. A model that depends on its batch is given the batch size 1 alone, or `reproducible: false`.',
  },
  LS_MODEL_IMPORT: {
    cause: 'input',
    retryable: false,
    summary: 'A model cannot be imported: what it reads or gives is none of what a manifest can describe, or the options do not fit it.',
    remedy: 'Follow the message; `labelstream models import --help` lists the options. Nothing was written.',
  },
  LS_MODEL_UNKNOWN: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model is asked for under a name that no model is bound to, or for a task that it is not made for, or two models are bound to one name.',
    remedy: 'Ask for one of those that the message names; or bind the name to a model of the task, and to one alone, under models of the configuration.',
  },
  LS_MODEL_INPUT: {
    cause: 'input',
    retryable: false,
    summary: 'A model cannot take this item: a field is missing or is no finite float32, or the text is empty or too long for it.',
    remedy: 'Correct the event at its producer; the message names the field.',
  },
  LS_MODEL_REQUEST: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model is asked for what it does not do: given classes where it has its own or none where it needs some, given a prefix, or told a language that it does not know.',
    remedy: 'Correct `classes`, `text` or `config` of the step, or give it another model.',
  },
  LS_MODEL_OUTPUT: {
    cause: 'environment',
    retryable: false,
    summary: 'A model gave a result without the shape of its manifest, or failed on an item and did not give its known answers either.',
    remedy: 'Check the model with `labelstream models verify`, and the memory of the machine; then start the program again.',
  },
  LS_MODEL_OUTPUT_NOT_FINITE: {
    cause: 'input',
    retryable: false,
    summary: 'A model that gives its known answers gave infinity or NaN for an item: it is outside of what the model can compute.',
    remedy: 'Correct the event at its producer: its values are probably far from those that the model was made for.',
  },
  LS_MODEL_RUN: {
    cause: 'input',
    retryable: false,
    summary: 'onnxruntime, or the plugin that runs the model, failed on an item, alone in its batch, with a model that gives its known answers.',
    remedy: 'Read the message: the item is outside of what the model can compute. Correct the event at its producer.',
  },
  LS_MODEL_NOT_SENT: {
    cause: 'input',
    retryable: false,
    summary: 'An item for a model cannot be handed to an inference worker: it holds what cannot be copied between threads, such as a function, or there is no memory for the copy.',
    remedy: 'Correct the task or the HTTP of the plugin that made the item; or publish smaller items, or give the program more memory.',
  },
  LS_MODEL_OVERLOADED: {
    cause: 'environment',
    retryable: true,
    summary: 'More items wait for a model than its queue holds.',
    remedy: 'None for single occurrences: the call is repeated. If it lasts, give the program more cores or fewer records in flight.',
  },
  LS_MODEL_WORKER_DIED: {
    cause: 'input',
    retryable: false,
    summary: 'An item ended the worker thread that computed it, twice, the second time alone; a new worker gave the known answers again.',
    remedy: 'Correct the event at its producer; if it looks harmless, look at the memory of the machine.',
  },
  LS_MODEL_RUN_TIME: {
    cause: 'input',
    retryable: false,
    summary: 'A model did not come back from a batch within ten minutes; in the service twice, the second time with one item alone.',
    remedy: 'Look at the item and at the files of the model, such as its tokenizer: together they make work without end.',
  },
  LS_MODEL_WORKERS_UNAVAILABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'No inference worker is alive, and a new one could not be started.',
    remedy: 'Look at the memory and the process limits of the machine; the program goes on trying.',
  },
  LS_MODEL_CLOSED: {
    cause: 'environment',
    retryable: false,
    summary: 'The model server was closed while an item waited, or before it was asked.',
    remedy: 'None during a shutdown: the record was not committed and is read again.',
  },
} as const satisfies ErrorArea;

export const modelError = errorFactory(modelErrors);
