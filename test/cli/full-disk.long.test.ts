import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { Cli } from './cli'
import { startRedis, type TestRedis } from '../support/redis'

const PROGRAM = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')
const KB = 1024

/** The compiled program, whose stdout is a full device, a pipe without a reader, or a file on a disk that becomes full. */
describe('tenantctl whose output cannot be written', () => {
  let redis: TestRedis
  let cli: Cli
  let options: string[]
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    options = ['--redis', redis.url, '--prefix', cli.prefix]
    await cli.given('tenant add contoso', 'connector add contoso mx --ip 192.0.2.1')
    const names = Array.from({ length: 4000 }, (_each, at) => `name-${at}.example`).join('\n')
    const { status } = await cli.runIn({ stdin: names }, 'domain', 'add', 'contoso', '-')
    assert.equal(status, 0)
  })
  after(() => redis.stop())

  const reading = ['status --json', 'report contoso --csv', '--help']
  const failing = [...reading, 'backup -', 'tenant set contoso --mode monitor']

  /** Runs it with stdout to `file`. */
  function into(
    file: string,
    line: string,
    flags = 'w',
  ): { status: number | null; stderr: string } {
    const stdout = openSync(file, flags)
    const { status, stderr } = spawnSync(
      process.execPath,
      [PROGRAM, ...options, ...line.split(' ')],
      {
        stdio: ['ignore', stdout, 'pipe'],
        encoding: 'utf8',
      },
    )
    closeSync(stdout)
    return { status, stderr }
  }

  for (const line of failing) {
    it(`on /dev/full: ${line}`, () => {
      const { status, stderr } = into('/dev/full', line)
      assert.equal(status, 1)
      assert.match(stderr, /stdout cannot be written \(ENOSPC: .*the output is not complete/)
      assert.doesNotMatch(stderr, /unexpected/)
    })

    it(`with a pipe whose reader has gone: ${line}`, async () => {
      const child = spawn(process.execPath, [PROGRAM, ...options, ...line.split(' ')])
      child.stdout.destroy()
      let stderr = ''
      child.stderr.on('data', (text) => (stderr += text))
      const status = await new Promise((resolve) => child.on('close', resolve))
      const harmless = reading.includes(line)
      assert.equal(status, harmless ? 0 : 1)
      if (harmless) assert.doesNotMatch(stderr, /stdout cannot be written/)
      else assert.match(stderr, /stdout cannot be written \(EPIPE: .*the output is not complete/)
    })
  }

  it('piped into head -c1, a backup fails and a list does not', () => {
    const statusOf = (line: string): string =>
      execFileSync(
        'bash',
        [
          '-c',
          `"$@" | head -c1 >/dev/null; echo \${PIPESTATUS[0]}`,
          'x',
          process.execPath,
          PROGRAM,
        ].concat(options, line.split(' ')),
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      ).trim()
    assert.equal(statusOf('backup -'), '1')
    assert.equal(statusOf('domain list contoso'), '0')
  })

  it('waits for a slow reader', () => {
    const line = `"$@" | (sleep 1; sha256sum)`
    const [command, ...rest] = [process.execPath, PROGRAM, ...options, 'domain', 'list', 'contoso']
    const slow = execFileSync('bash', ['-c', `set -o pipefail; ${line}`, 'x', command, ...rest], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const file = path.join(scratchDir('list'), 'list')
    assert.equal(into(file, 'domain list contoso').status, 0)
    assert.ok(
      slow.startsWith(execFileSync('sha256sum', [file], { encoding: 'utf8' }).split(' ')[0]!),
    )
  })

  describe('on a full disk', { skip: !canMount() && 'no file system can be mounted here' }, () => {
    let disk: string
    before(() => {
      disk = scratchDir('disk')
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk])
    })
    after(() => {
      execFileSync('umount', [disk])
    })

    it('says that the output is cut off, also where some of it was written', () => {
      // The room that is left: less than one write, or several.
      for (const left of [4, 60]) {
        const ballast = path.join(disk, 'ballast')
        writeFileSync(ballast, Buffer.alloc((128 - left) * KB))
        for (const line of ['domain list contoso', 'backup -']) {
          const file = path.join(disk, 'out')
          const { status, stderr } = into(file, line)
          assert.equal(status, 1, `${line}, ${left} KB left`)
          assert.match(stderr, /ENOSPC/)
          assert.ok(statSync(file).size > 0)
          execFileSync('rm', [file])
        }
        execFileSync('rm', [ballast])
      }
    })

    it('keeps the previous backup, and leaves no other file', async () => {
      const place = path.join(disk, 'place')
      mkdirSync(place)
      const file = path.join(place, 'tenants.jsonl')
      const older = new Cli(redis.url)
      await older.given('tenant add fabrikam', `backup ${file}`)
      const before = readFileSync(file)
      for (const left of [0, 4, 60]) {
        const ballast = path.join(disk, 'ballast')
        writeFileSync(ballast, Buffer.alloc((124 - left) * KB))
        const { status, err } = await cli.run('backup', file)
        assert.equal(status, 1, `${left} KB left`)
        assert.match(err, /tenants\.jsonl cannot be written \(ENOSPC/)
        assert.deepEqual(readFileSync(file), before)
        assert.deepEqual(readdirSync(place), ['tenants.jsonl'])
        execFileSync('rm', [ballast])
      }
      const { mode } = statSync(file)
      assert.equal(mode & 0o777, 0o600)
      assert.ok(!existsSync(path.join(disk, 'out')))
    })
  })
})

function canMount(): boolean {
  if (process.geteuid!() !== 0) return false
  const place = scratchDir('mount')
  if (spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', place]).status !== 0) return false
  return spawnSync('umount', [place]).status === 0
}
