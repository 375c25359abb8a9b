/**
 * The tools of the tests. All servers are real, on free loopback ports, in scratch folders, and always end with this
 * process; stop() them anyway, for the next test's memory.
 *
 * One relay for a file, and a tenant for each test:
 *
 *     const relay = await startRelay({ settings: { main: { refuse_at: 'rcpt' } } }) // in before()
 *     const tenant = await relay.tenant('contoso', { limits: '3/1h' })   // all processes know it now
 *     const sent = await tenant.send({ from: 'x@other.example', to: ['a@far.example'] })
 *     assert.equal(String(sent.last), '550 5.7.750 …')  // `last`: the first negative reply, else the last one
 *     assert.equal(sent.rcpts[0]?.raw, '250 …\r\n')      // every byte of a reply
 *     assert.equal(await tenant.used(), 1)
 *     relay.haraka.sink.messages()                       // what was delivered
 *     await relay.stop()                                 // in after()
 *
 * - A tenant made so is recognised by an address of its own in 127.77.0.0/16, which its `session`
 *   comes from; `relay.connector()` gives it another one. Other identities: `connectors` of
 *   `tenant()`, then wait with `relay.attributed(session, 'tenant/name')`.
 * - `relay.registry`, `relay.restrictions`, `relay.lift()`: the operator's side, without the
 *   program start of tenantctl. tenantctl() runs the compiled program.
 * - `tenant.connect()` gives an SmtpClient after EHLO: mail(), rcpt(), data(), message(), rset(),
 *   starttls(), authPlain(), xclient(), messageAndLeave('FIN' | 'RST'), leave(), …
 * - `startRelay({ hosts: 2, nodes: 2, version: '3.1.7' })`: several Harakas on one Redis, clusters,
 *   another version. startHaraka() and startRedis() alone where a relay is too much: Redis away
 *   (`ready: false`), other plugins (`plugins`, `localPlugins`), other files (`config`).
 * - The sink takes all mail; the header X-Sink makes it `refuse`, `defer` or `hold` a message.
 *   With `pass` Haraka's own queue gets it; `config: { 'outbound.ini':
 *   'disabled=true' }` keeps it there, see `haraka.queued()`.
 * - startPostfix({ mainCf, mailboxes, forwards }): a tenant's own Postfix, only as root (`skip: noPostfix`);
 *   throughRelay(tenant) has the lines that send all to Haraka. `submit()`, `mailbox()`, `queue()`, `flush()`.
 * - scripts/services/console.ts: `tenantctl console`, for a real browser; console.ts: the same without a network
 * - scripts/services/exporter.ts and prometheus.ts: `tenantctl metrics`, and a Prometheus that scrapes it
 *   (`skip: noPrometheus`); hostNamed() in `preload` makes one of several Harakas another host.
 * - startBrowser(): a real Chromium (`skip: noBrowser`); scripts/services/browser.ts.
 * - `relay.redis.commandStats()`, pause(), resume(), kill(), restart().
 * - Never sleep: waitFor(condition). That nothing happens is shown by a mark that is sent afterwards and arrives.
 * - sharedRelay((started) => (relay = started)) where the shipped settings do: one Haraka for all such files.
 *
 * `X.test.ts` belongs to `npm test`, which must stay below three minutes on two cores; `X.long.test.ts` to
 * `npm run test:long`. The files of `npm test` outside of e2e/ share processes, each as a suite of its own, so what
 * one changes in its process (environment, user, mocked timers) it puts back.
 *
 * The compiled plugin runs in Haraka, so build before (`npm test` does).
 */
export * from '../../scripts/services/haraka'
export * from '../../scripts/services/opendkim'
export * from '../../scripts/services/postfix'
export * from '../../scripts/services/redis'
export * from '../../scripts/services/redis-cluster'
export * from '../../scripts/services/redis-sentinel'
export * from '../../scripts/services/scratch'
export * from '../../scripts/services/sink'
export * from '../../scripts/services/smtp'
export * from '../../scripts/services/smtp-flood'
export * from '../../scripts/services/tenantctl'
export * from '../../scripts/services/wait-for'
export * from './certificates'
export * from './relay'
