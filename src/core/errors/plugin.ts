import { errorFactory, type ErrorArea } from './error.ts';

export const pluginErrors = {
  LS_PLUGIN_LOAD: {
    cause: 'configuration',
    retryable: false,
    summary: 'A plugin that the configuration, or --plugin, names cannot be loaded: there is no such file or package, or it fails while it is imported.',
    remedy: 'Correct `plugins` in the configuration, or --plugin: a path begins with ./, ../ or /, and starts from the folder of the configuration file, or of the command; a package is installed there. The message says what failed.',
  },
  LS_PLUGIN_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'A plugin is not what the plugin API asks for, or adds what is there already.',
    remedy: 'Correct the plugin as the message says: its default export is a Plugin of labelstream/plugin.',
  },
  LS_PLUGIN_API_VERSION: {
    cause: 'configuration',
    retryable: false,
    summary: 'A plugin was written for another version of the plugin API.',
    remedy: 'Use a version of the plugin that is written for this version of the program, or the other way round.',
  },
  LS_PLUGIN_MISSING: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model is run by a plugin that is not loaded, or that has no such model.',
    remedy: 'Name the plugin under `plugins` in the configuration, or by --plugin; the message says which one, and what it has.',
  },
  LS_PLUGIN_TENSOR: {
    cause: 'configuration',
    retryable: false,
    summary: 'A graph that a plugin runs gives an output of a type that plugins are not given.',
    remedy: 'Export the graph so that its outputs are float32, int64 or bool, by a Cast behind them.',
  },
  LS_PLUGIN_ANSWER: {
    cause: 'configuration',
    retryable: false,
    summary: 'A model of a plugin gave no answer, one of another kind than its manifest says, or another number of answers than it was given items; or what a task of a plugin gave is no result.',
    remedy: 'Correct the plugin; the message says what was found.',
  },
} as const satisfies ErrorArea;

export const pluginError = errorFactory(pluginErrors);
