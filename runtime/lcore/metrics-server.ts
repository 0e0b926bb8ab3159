/** The metrics endpoint: answers `GET /metrics` for Prometheus while a run lasts. Runs on the main thread. */
import { createServer } from 'node:http';
import { DeviceError } from '../errors.ts';
import { reasonOf } from '../source/dpdk.ts';
import { CONTENT_TYPE } from '../stats/prometheus.ts';

export interface MetricsServer {
  close(): void;
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EACCES: 'is not allowed to this user',
  EADDRNOTAVAIL: 'is at an address that this machine does not have',
};

/** Listens. Throws DeviceError when the port cannot be had. `scrape` makes the text of an answer. */
export function serveMetrics(at: { port: number; address: string }, scrape: () => string): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    const found = path === '/metrics';
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    if (path !== '/' && !found) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('the metrics are at /metrics\n');
      return;
    }
    try {
      const body = found ? scrape() : 'iris: the metrics are at /metrics\n';
      response.writeHead(200, { 'Content-Type': found ? CONTENT_TYPE : 'text/plain' });
      response.end(request.method === 'HEAD' ? undefined : body);
    } catch (error) {
      response.writeHead(500, { 'Content-Type': 'text/plain' }).end(`${reasonOf(error)}\n`);
    }
  });
  server.keepAliveTimeout = 5000;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = WHY[error.code ?? ''] ?? error.message;
      reject(new DeviceError(`online.prometheus.port: ${at.port} ${why}`, 'choose another one'));
    });
    server.listen({ port: at.port, host: at.address }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve({
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}
