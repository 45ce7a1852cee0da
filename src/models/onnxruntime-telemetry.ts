/**
 * From 1.29 on, onnxruntime's builds for Linux and macOS tell their maker about the process, the device and the names of models, by a thread,
 * a database below the home directory and uploads. It decides once per process, when it is first used, by this variable of the environment. A
 * worker's environment is a copy, so the thread that starts workers has to load this file. Who sets the variable keeps their choice.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
