import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { serveMetrics, type MetricsServer } from '../../src/metrics/server'
import { waitFor } from '../../scripts/services/wait-for'

let server: MetricsServer
/** How often the text was asked for. */
let made = 0
const metrics = (): Promise<string> => {
  made++
  return Promise.resolve('unregistered_domain_redis_up 1\n')
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function start(token?: string, address = '127.0.0.1'): Promise<void> {
  server = await serveMetrics({ address, port: 0 }, { token, metrics })
}

async function ask(path = '/metrics', headers = {}, method = 'GET'): Promise<Answer> {
  const { address: host, port } = server.at
  const sent = request({ host, port, path, method, headers, agent: false })
  sent.end()
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
  let body = ''
  for await (const piece of response) body += String(piece)
  return { status: response.statusCode!, headers: response.headers, body }
}

afterEach(async () => {
  await server.stop()
})

describe('the server of metrics', () => {
  it('answers GET and HEAD of /metrics, and the rest with a sentence', async () => {
    await start()
    const got = await ask()
    assert.deepEqual([got.status, got.body], [200, 'unregistered_domain_redis_up 1\n'])
    assert.equal(got.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(got.headers['cache-control'], 'no-store')
    const asked = made
    const head = await ask('/metrics', {}, 'HEAD')
    assert.deepEqual([head.status, head.body, made], [200, '', asked])
    assert.equal((await ask('/metrics?x=1')).status, 200)
    for (const path of ['/', '/metrics/', '/../etc/passwd', '//metrics']) {
      const { status, body } = await ask(path)
      assert.deepEqual([status, body], [404, 'the metrics are at /metrics\n'], path)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const { status, body, headers } = await ask('/metrics', {}, method)
      assert.deepEqual([status, body], [405, 'only GET and HEAD are answered\n'], method)
      assert.equal(headers.allow, 'GET, HEAD')
    }
  })

  it('answers on loopback only to its own name: no page of a browser gets there by DNS', async () => {
    await start()
    const { port } = server.at
    for (const host of [
      'lure.example',
      `lure.example:${port}`,
      '127.0.0.1.lure.example',
      'a@127.0.0.1',
    ]) {
      const { status, body } = await ask('/metrics', { host })
      assert.equal(status, 403, host)
      assert.match(body, /^Host must be this exporter: 127\.0\.0\.1:\d+ or localhost\n$/)
    }
    for (const host of [
      'localhost',
      `LOCALHOST:${port}`,
      `127.0.0.1:${port}`,
      '127.0.0.1',
      '[::1]:1',
    ]) {
      assert.equal((await ask('/metrics', { host })).status, 200, host)
    }
  })

  it('wants the token where there is one, for every path', async () => {
    const token = 'a-token-of-some-length'
    await start(token, '0.0.0.0')
    for (const authorization of [
      ...[undefined, '', 'Bearer', 'Bearer ', `Basic ${token}`, token, `Bearer ${token}x`],
      ...[`Bearer ${token.slice(0, -1)}`, `Bearer ${token} ${token}`, `Bearer ${'x'.repeat(4000)}`],
    ]) {
      for (const path of ['/metrics', '/']) {
        const { status, body, headers } = await ask(path, authorization && { authorization })
        assert.equal(status, 401, authorization)
        assert.equal(headers['www-authenticate'], 'Bearer')
        assert.ok(!body.includes(token))
      }
    }
    for (const scheme of ['Bearer', 'bearer']) {
      const headers = { authorization: `${scheme} ${token}`, host: 'mx1.example' }
      assert.equal((await ask('/metrics', headers)).status, 200)
    }
  })

  it('names what is wrong with an address where it cannot listen', async () => {
    await start()
    const again = (address: string, port: number): Promise<MetricsServer> =>
      serveMetrics({ address, port }, { token: undefined, metrics })
    await assert.rejects(again('127.0.0.1', server.at.port), {
      message: `cannot listen on 127.0.0.1:${server.at.port}: another process listens there: end it, or name another port ([metrics] listen, or --listen)`,
      exitStatus: 1,
    })
    await assert.rejects(
      again('192.0.2.1', 0),
      /cannot listen on 192\.0\.2\.1:0: this machine has no such/,
    )
  })

  it('ends a request that does not come to its end, and one that is no HTTP', async () => {
    await start()
    for (const [bytes, status] of [
      ['GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ', '408'],
      ['\x16\x03\x01\x02\r\n\r\n', '400'],
      [`GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(9000)}\r\n\r\n`, '431'],
    ] as const) {
      const socket = connect(server.at.port, '127.0.0.1')
      let answer = ''
      socket.on('data', (piece) => (answer += String(piece)))
      socket.write(bytes)
      await once(socket, 'close')
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
    }
  })

  it('ends while clients hold connections open', async () => {
    await start()
    const sockets = [connect(server.at.port, '127.0.0.1'), connect(server.at.port, '127.0.0.1')]
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    sockets[0]!.write('GET /metrics HTTP/1.1\r\nHost: ')
    const ended = sockets.map((socket) => {
      socket.on('error', () => {})
      return new Promise((resolve) => socket.once('close', resolve))
    })
    await server.stop()
    await Promise.all(ended)
    await start()
    await waitFor(async () => (await ask()).status === 200)
  })
})
