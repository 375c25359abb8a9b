import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { startHaraka } from '../../scripts/services/haraka'
import { packageRoot } from '../../src/base/package-root'
import { startRedis } from '../support/redis'

/** A plugin of the site that writes, at a connection, which files its process has loaded. */
const INVENTORY = `
exports.hook_connect = (next) => {
  const files = Object.keys(require('node:module')._cache)
  require('node:fs').writeFileSync(process.env.HARAKA + '/loaded.json', JSON.stringify(files))
  next()
}
`

/** Packages that a process of a default install has no use for. */
const RARE = ['address-rfc2821', 'commander', 'email-providers', 'mailauth', 'nearley', 'tldts']
/** Files that are for `tenantctl`, or for what a default install has switched off. */
const NOT_FOR_SESSIONS =
  /^src\/(?:cli|explain|suggest|backup|tenants-file\/(?!settings)|process\/tenants-file-thread)/

it('a process of a default install holds nothing that neither its mail nor its duties need', async () => {
  const redis = await startRedis()
  const plugins = ['inventory', 'relay', 'unregistered-domain']
  const haraka = await startHaraka({ redis, plugins, localPlugins: { inventory: INVENTORY } })
  try {
    await (await haraka.connect()).quit()
    const loaded = JSON.parse(
      readFileSync(path.join(haraka.dir, 'loaded.json'), 'utf8'),
    ) as string[]
    const dist = path.join(packageRoot(), 'dist/')
    const own = loaded
      .filter((file) => file.startsWith(dist))
      .map((file) => file.slice(dist.length))
    assert.ok(own.includes('src/alerts/dispatcher.js'), 'it leads')
    assert.deepEqual(
      own.filter((file) => NOT_FOR_SESSIONS.test(file)),
      [],
    )
    const rare = (file: string): boolean =>
      RARE.some((name) => file.includes(`/node_modules/${name}/`)) ||
      file.includes('/mail-composer/')
    assert.deepEqual(loaded.filter(rare), [])
  } finally {
    await haraka.stop()
    await redis.stop()
  }
})
