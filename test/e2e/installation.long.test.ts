// npm itself, beside each Haraka: it asks the registry.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { sizeOf } from '../../bench/install'
import { scratchDir } from '../support'
import { npmInstall, packInto } from '../support/npm'

/** What an installation may add. */
const MOST_PACKAGES = 40
const MOST_BYTES = 20e6

let tarball: string
before(async () => {
  tarball = (await packInto(scratchDir('package'))).tarball
})

/** An empty directory that npm takes for a project of its own. */
function emptySite(): string {
  const site = scratchDir('site')
  writeFileSync(path.join(site, 'package.json'), '{ "private": true }')
  return site
}

/** Version by folder of all that npm has installed. */
function installedIn(site: string): Map<string, string> {
  const lock = path.join(site, 'node_modules/.package-lock.json')
  const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as {
    packages: Record<string, { version: string }>
  }
  return new Map(Object.entries(packages).map(([folder, { version }]) => [folder, version]))
}

const mailauthIn = (site: string): string | undefined =>
  installedIn(site).get('node_modules/mailauth')

for (const haraka of ['haraka@3.3.4', 'Haraka@3.1.7']) {
  it(`An installation beside ${haraka} adds at most 40 packages and 20 MB, and changes no other`, async (t) => {
    const site = emptySite()
    await npmInstall(site, '--ignore-scripts', haraka)
    const before = installedIn(site)
    await npmInstall(site, '--ignore-scripts', tarball)
    const after = installedIn(site)
    for (const [folder, version] of before) assert.equal(after.get(folder), version, folder)
    const added = [...after.keys()].filter((folder) => !before.has(folder))
    const sizes = added.map((folder) => sizeOf(path.join(site, folder)))
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    t.diagnostic(`${added.length} packages, ${(bytes / 1e6).toFixed(1)} MB`)
    assert.ok(added.length <= MOST_PACKAGES, added.join(' '))
    assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`)
  })
}

describe('mailauth, which only forwards need', () => {
  it('is not installed with the package, and comes in the right version once it is asked for', async () => {
    const site = emptySite()
    await npmInstall(site, tarball)
    assert.equal(mailauthIn(site), undefined)
    await npmInstall(site, 'mailauth')
    assert.match(mailauthIn(site) ?? '', /^4\./)
  })

  it('stays as it is where it was installed before', async () => {
    const site = emptySite()
    await npmInstall(site, 'mailauth@4.13.3')
    await npmInstall(site, tarball)
    assert.equal(mailauthIn(site), '4.13.3')
  })

  it('is refused by npm in a version that is not supported', async () => {
    const site = emptySite()
    await npmInstall(site, tarball)
    await assert.rejects(npmInstall(site, 'mailauth@7'), /peerOptional mailauth@"\^4\.13\.3"/)
  })
})
