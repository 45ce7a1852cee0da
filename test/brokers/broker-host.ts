/** Where a broker of the tests runs: a plain process, or a container. */

export type BrokerFile = { readonly name: string; readonly content: string };

export type BrokerHost = {
  /** Where the files of `launch` are, and where the broker keeps its data, both as it sees them. */
  readonly directory: string;
  readonly dataDirectory: string;
  /** The address to listen on there. */
  readonly listenAddress: string;
  /** Puts the files into the directory, in place of those of the same names; formats the storage the first time; starts the broker. */
  readonly launch: (files: readonly BrokerFile[]) => Promise<RunningBroker>;
  readonly log: () => Promise<string>;
  /** What it left: its directory or its container. Only when it does not run. */
  readonly remove: () => Promise<void>;
};

export type RunningBroker = {
  readonly pid: number;
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => Promise<void>;
  /** Resolves when it is gone. */
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
  /** How it ended by itself; undefined while it runs. */
  readonly ended: () => Promise<string | undefined>;
};

export type BrokerHostOptions = {
  readonly jvmArguments: readonly string[];
  /** Of SCRAM, name to password; made when the storage is formatted. */
  readonly users: Readonly<Record<string, string>>;
  /** Of the listeners that are reached from outside. */
  readonly ports: readonly number[];
};

export const SMALL_JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** An id may begin with a hyphen: as an argument of its own it would be taken for an option. */
export function formatArguments(clusterId: string, propertiesPath: string, users: Readonly<Record<string, string>>): readonly string[] {
  const credentials = Object.entries(users).flatMap(([name, password]) => ['--add-scram', `SCRAM-SHA-512=[name=${name},password=${password}]`]);
  return ['format', '--standalone', '--ignore-formatted', `--cluster-id=${clusterId}`, '-c', propertiesPath, ...credentials];
}
