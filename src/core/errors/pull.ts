import { errorFactory, type ErrorArea } from './error.ts';

export const pullErrors = {
  LS_PULL_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'A repository, a revision or a file of it is not where `models pull` looks for it.',
    remedy: 'Check the names and the 40 digits of the revision, and --from. A mirror that keeps no list of a repository needs the files by name: --file.',
  },
  LS_PULL_DENIED: {
    cause: 'input',
    retryable: false,
    summary: 'A host does not give a repository to whoever asks: it is not there, or it is private, or its terms have to be accepted first.',
    remedy: 'Check the name, accept the terms on the page of the repository, and set HF_TOKEN to a token that may read it. It is sent over https, or to this machine, and to no other host than the one named.',
  },
  LS_PULL_UNAVAILABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'A host could not be reached, broke off or gave an error, again and again without one more byte.',
    remedy: 'Look at the network and the host, then give the same command again: what is there already is not fetched again.',
  },
  LS_PULL_ANSWER: {
    cause: 'environment',
    retryable: false,
    summary: 'A host answered what cannot be used: no list of files, an encoded body, a part that was not asked for, a redirect that leads nowhere or from https to http.',
    remedy: 'Check that --from names a hub or a mirror of one, and no page before it.',
  },
  LS_PULL_SOURCE: {
    cause: 'environment',
    retryable: false,
    summary: 'The directory that files are to be pulled from cannot be read.',
    remedy: 'Look at the permissions, the links and the disk of what --from names; the message says which file it is.',
  },
  LS_PULL_SIZE: {
    cause: 'environment',
    retryable: false,
    summary: 'A file whose size neither the list of its repository nor the host tells is larger than allowed.',
    remedy: 'If it is meant to be so large, raise --untold-bytes-max; what has arrived is not fetched again where the host says that it is still the same. Otherwise do not trust this mirror.',
  },
  LS_PULL_MISMATCH: {
    cause: 'environment',
    retryable: false,
    summary: 'A file has another size or hash than its repository lists, or than the lock file says.',
    remedy: 'Nothing of it was put into place. Pull from another mirror; if the repository is right and the lock file is not, remove the lock file or give --update.',
  },
  LS_PULL_LOCK: {
    cause: 'input',
    retryable: false,
    summary: 'A pull differs from the lock file beside its directory, in repository, revision, files or hashes; or the lock file cannot be read.',
    remedy: 'Pull what the lock file says, or, if it is to be something else now, give --update.',
  },
  LS_PULL_PATH: {
    cause: 'input',
    retryable: false,
    summary: 'A file of a repository has a name, or is a link, that would lead out of the directory.',
    remedy: 'Do not trust this repository or mirror. If you do, name the files that you need with --file.',
  },
  LS_PULL_SPACE: {
    cause: 'environment',
    retryable: false,
    summary: 'There is not enough free space for the files that are still to be fetched.',
    remedy: 'Make room, or pull to another file system, or fewer files with --file.',
  },
  LS_PULL_TARGET: {
    cause: 'input',
    retryable: false,
    summary: 'The directory that files are to be pulled to holds something else, cannot be written, or another pull works on it.',
    remedy: 'Pull to a directory that is not there yet, or wait for the other pull.',
  },
} as const satisfies ErrorArea;

export const pullError = errorFactory(pullErrors);
