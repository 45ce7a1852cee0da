/** What an API key may be for. predict: asks models; ingest: publishes events; read: sees labels, items and clusters; admin: changes what is processed, and how. */
export const apiScopes = ['predict', 'ingest', 'read', 'admin'] as const;

export type ApiScope = (typeof apiScopes)[number];
