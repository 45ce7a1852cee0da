/**
 * What a process finds where it runs under a managed identity: an endpoint of the platform that gives it tokens (that of Azure App Service), and a
 * container behind TLS that takes such a token.
 */
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { Certificate } from '../brokers/certificates.ts';

export type IdentityService = {
  readonly containerUrl: string;
  /** Of the process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tokensGiven: () => number;
  readonly close: () => Promise<void>;
};

const identityHeader = 'of-the-platform';
const emptyListing = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="snapshots"><Blobs /><NextMarker /></EnumerationResults>';

/** @param token that the container takes; the endpoint gives `given`. */
export async function startIdentityService({ key, certificate }: Certificate, token: string, given: string): Promise<IdentityService> {
  let tokens = 0;
  const identity = createHttpServer((request, response) => {
    if (request.headers['x-identity-header'] !== identityHeader) return response.writeHead(403).end();
    tokens += 1;
    const expiresAtSeconds = Math.floor(Date.now() / 1000) + 3600;
    const body = { access_token: given, expires_on: String(expiresAtSeconds), resource: 'https://storage.azure.com', token_type: 'Bearer' };
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const container = createHttpsServer({ key, cert: certificate }, (request, response) => {
    if (request.headers.authorization === `Bearer ${token}`) return response.writeHead(200, { 'content-type': 'application/xml' }).end(emptyListing);
    return response.writeHead(401, { 'x-ms-error-code': 'InvalidAuthenticationInfo' }).end();
  });
  const [identityPort, containerPort] = [await listen(identity), await listen(container)];
  return {
    containerUrl: `https://localhost:${containerPort}/account/snapshots`,
    environment: { IDENTITY_ENDPOINT: `http://127.0.0.1:${identityPort}/token`, IDENTITY_HEADER: identityHeader },
    tokensGiven: () => tokens,
    close: async () => {
      for (const server of [identity, container]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
