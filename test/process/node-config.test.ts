import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import type { NodeConfig } from '../../src/nodes/node'
import { CONFIG_FILE, readConfigFile } from '../../src/process/config-file'
import { nodeConfig } from '../../src/process/node-config'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjQo'

/** What a process says of this ini file. */
function said(ini: string, reach: 'site' | 'host' = 'site', salt = 'epoch'): NodeConfig {
  return JSON.parse(digested(ini, reach, salt).text) as NodeConfig
}

function digested(ini: string, reach: 'site' | 'host' = 'site', salt = 'epoch') {
  const directory = scratchDir('config')
  writeFileSync(path.join(directory, 'secret'), SECRET)
  writeFileSync(path.join(directory, 'never'), 'b.example\na.example\n')
  writeFileSync(path.join(directory, 'never2'), 'a.example\nb.example # the same\n')
  writeFileSync(path.join(directory, CONFIG_FILE), ini)
  const { settings, errors } = readConfigFile(directory)!
  assert.deepEqual(errors, [])
  return nodeConfig(settings, reach, salt)
}

const WEBHOOK = '[alerts]\nwebhook=https://noc.example/hook\n'

describe('the configuration that a process tells', () => {
  it('has what is not the default, however it is written', () => {
    assert.deepEqual(said('[main]\nmode=enforce\n[allowance]\nwarn_at=50,80,95\n'), {})
    const one = said('[main]\nmode=monitor\n[allowance]\nlimits=5/1h,9/1d\n[report]\ndays=30\n')
    assert.deepEqual(one, {
      main: { mode: 'monitor' },
      allowance: { limits: '5/1h, 9/1d' },
      report: { days: '30' },
    })
    const digest = (ini: string): string => digested(ini).digest
    assert.equal(
      digest('[allowance]\nlimits=5/1h,9/1d\n'),
      digest('[allowance]\nlimits=5/1h, 9/1d\n'),
    )
    assert.notEqual(digest('[allowance]\nlimits=5/1h\n'), digest('[allowance]\nlimits=6/1h\n'))
  })

  it('keeps apart what may differ from host to host', () => {
    const ini = '[egress]\nbind=192.0.2.1\n[main]\nmode=monitor\n'
    assert.deepEqual(said(ini), { main: { mode: 'monitor' } })
    assert.deepEqual(said(ini, 'host'), { egress: { bind: '192.0.2.1' } })
  })

  it('compares a secret, in the ini file or its own, by 32 bits that another registry has otherwise', () => {
    const { alerts } = said(`${WEBHOOK}webhook_secret=${SECRET}\n`)
    assert.match(alerts!['webhook_secret']!, /^#[0-9a-f]{8}$/)
    assert.match(alerts!['webhook']!, /^#[0-9a-f]{8}$/)
    assert.deepEqual(said(`${WEBHOOK}webhook_secret_file=secret\n`), { alerts })
    assert.notDeepEqual(said(`${WEBHOOK}webhook_secret=${SECRET}\n`, 'site', 'other'), { alerts })
  })

  it('says nothing of passwords', () => {
    const ini = '[redis]\nhost=10.0.0.1\npassword=a-password-of-some-length\n'
    assert.deepEqual(said(ini), {})
    assert.deepEqual(said(ini, 'host'), { redis: { host: '10.0.0.1' } })
  })

  it('compares the content of a file, not its name', () => {
    assert.deepEqual(
      said('[registry]\nnever_register_file=never\n'),
      said('[registry]\nnever_register_file=never2\n'),
    )
  })
})
