import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { freePort } from '../../scripts/services/port'
import { formatIni } from '../../scripts/services/ini'
import { CertificateAuthority, scratchDir, startRedis, tenantctl, waitFor } from '../support'

test('TLS to a Redis Cluster whose nodes go by name', async (t) => {
  const authority = new CertificateAuthority('redis')
  const tls = { ...authority.issue({ names: ['localhost'] }), ca: authority.cert }
  const byName = ['--cluster-announce-hostname', 'localhost']
  const redis = await startRedis({
    tls,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
      ...[...byName, '--cluster-preferred-endpoint-type', 'hostname', '--tls-cluster', 'yes'],
    ],
  })
  t.after(() => redis.stop())
  const admin = redis.client({ host: 'localhost', tls: { ca: authority.cert } })
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await waitFor(async () => /cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO'))))

  const config = scratchDir('config')
  const authorities = path.join(config, 'ca.pem')
  writeFileSync(authorities, authority.cert)
  const settings = { redis: { cluster: [`localhost:${redis.port}`], tls: true } }
  writeFileSync(path.join(config, 'unregistered-domain.ini'), formatIni(settings))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authorities }
  const run = await tenantctl(['--config', config, 'tenant', 'add', 'contoso'], { env })
  assert.equal(run.status, 0, run.stderr)
})
