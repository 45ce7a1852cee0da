import { inputKindOf, tasksOf, type Manifest } from '../models/manifest.ts';

/** What a manifest says in short, for `--json`. */
export function manifestObject(manifest: Manifest) {
  const { name, version, kind, licence, source, reproducible, files } = manifest;
  return {
    model: name,
    version,
    kind,
    ...(manifest.kind === 'transformers' ? { architecture: manifest.architecture } : {}),
    tasks: tasksOf(manifest),
    input: inputKindOf(manifest),
    licence,
    source,
    reproducible,
    sizeBytes: files.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
  };
}
