import { errorFactory, type ErrorArea } from './error.ts';

export const registryErrors = {
  LS_REGISTRY_UNAVAILABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'The schema registry does not answer, answers too late, or says that it cannot answer now.',
    remedy: 'Nothing, if it comes back: what needs it waits. Otherwise check registry.urls, the network, and the registry itself.',
  },
  LS_REGISTRY_DENIED: {
    cause: 'configuration',
    retryable: true,
    summary: 'The schema registry refuses this client: its credentials are wrong, or do not allow what was asked.',
    remedy: 'Correct registry.auth, the file that it names, or the rights of that user; what needs the registry waits until then.',
  },
  LS_REGISTRY_ANSWER: {
    cause: 'environment',
    retryable: true,
    summary: 'What answers at the address of the schema registry does not speak its protocol: a redirect, a page for people, a broken text.',
    remedy: 'Check registry.urls, with the path that a proxy may put before it; what needs the registry waits until then.',
  },
  LS_REGISTRY_CREDENTIALS_FILE: {
    cause: 'configuration',
    retryable: true,
    summary: 'A file with a password, a token or a certificate for the schema registry cannot be read.',
    remedy: 'Correct the setting that details.setting names, or the file and its permissions.',
  },
  LS_REGISTRY_SCHEMA_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'The schema registry says that it has no schema with the id that the value names.',
    remedy: "Register the writer's schema in this registry, or point the producer and registry.urls to the same one, and publish the dead letters again.",
  },
  LS_REGISTRY_SCHEMA_FOREIGN: {
    cause: 'input',
    retryable: false,
    summary: 'The value was written with a schema that is none of the events of this program.',
    remedy: 'Publish events with the schemas of schemas/, whose full names begin with labelstream.v1, or versions of them.',
  },
  LS_REGISTRY_SCHEMA_UNREADABLE: {
    cause: 'input',
    retryable: false,
    summary: 'The schema that the value names cannot be used: it is no Avro schema, too large, or cannot be read as the event of its name.',
    remedy: 'Register an Avro schema that is compatible with the one in schemas/: added fields have a default, types are as wide as they were.',
  },
  LS_REGISTRY_NOT_CONFIGURED: {
    cause: 'input',
    retryable: false,
    summary: "The value begins as Confluent's wire format does, but no schema registry is configured.",
    remedy: 'Configure `registry`, or publish Avro single-objects; then publish the dead letters again.',
  },
  LS_REGISTRY_NOT_REGISTERED: {
    cause: 'configuration',
    retryable: false,
    summary: 'A schema of this program, which its outputs are to name, is not registered.',
    remedy: 'Start once with registry.registerSchemas: true and a user that may register, or set registry.encode to single-object.',
  },
  LS_REGISTRY_REGISTRATION: {
    cause: 'configuration',
    retryable: false,
    summary: 'The schema registry refuses a schema of this program: the subject holds schemas that it is not compatible with.',
    remedy: 'Correct the compatibility setting or the versions of the subject that details.subject names, or choose another registry.subjectStrategy.',
  },
} as const satisfies ErrorArea;

export const registryError = errorFactory(registryErrors);
