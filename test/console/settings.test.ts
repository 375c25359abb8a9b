import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { packageRoot } from '../../src/base/package-root'
import { readOwnIni } from '../../src/config/own-ini'
import { parseConfig } from '../../src/process/config'

const DIRECTORY = '/etc/haraka'

function parse(console: Record<string, unknown>) {
  const { config, errors } = parseConfig({ console }, DIRECTORY)
  return { settings: config.console, errors: errors.map(({ message }) => message) }
}

/** Behind a proxy, without a mistake. */
const PROXY = {
  ...{ auth: 'proxy', listen: 'unix:/run/console.sock', public_url: 'https://relay.example' },
  ...{ user_header: 'X-User', operators: 'ann' },
}

describe('[console]', () => {
  it('is for links on this machine without any key', () => {
    const { settings, errors } = parse({})
    assert.deepEqual(errors, [])
    const { auth, listen, publicUrl, readUsername, state } = settings
    assert.deepEqual(listen, { address: '127.0.0.1', port: 8025 })
    assert.deepEqual([auth, publicUrl, readUsername, state], ['link', '', undefined, undefined])
  })

  it('reads a proxy, with names of headers in lower case and files beside the ini file', () => {
    const { settings, errors } = parse({
      ...PROXY,
      ...{ groups_header: 'X-Groups', viewers: '@helpdesk, carol', proxy_secret_file: 'secret' },
      ...{ trusted_proxies: '192.0.2.0/24, 2001:db8::1', hosts: 'Relay2.example:8443' },
      public_url: 'https://relay.example/console/',
    })
    assert.deepEqual(errors, [])
    assert.deepEqual(settings.listen, { socket: '/run/console.sock' })
    assert.deepEqual([settings.userHeader, settings.groupsHeader], ['x-user', 'x-groups'])
    assert.deepEqual(settings.viewers, ['@helpdesk', 'carol'])
    assert.equal(settings.proxySecretFile, `${DIRECTORY}/secret`)
    assert.deepEqual(settings.trustedProxies, ['192.0.2.0/24', '2001:db8::1/128'])
    assert.equal(settings.publicUrl, 'https://relay.example/console')
    assert.deepEqual(settings.hosts, ['relay2.example:8443'])
  })

  it('has no mistake in the ini file of the service, but for passwords that only it can read', () => {
    const { raw, lines } = readOwnIni(`${packageRoot()}/docs/systemd/console.ini`, '')!
    const { config, errors } = parseConfig(raw, DIRECTORY, { lines })
    assert.deepEqual(
      errors.map(({ message }) => message),
      [
        '[redis] password_file: /run/credentials/unregistered-domain-console.service/redis does not exist',
      ],
    )
    assert.deepEqual([config.console.auth, config.console.admins], ['proxy', ['ann@example.org']])
  })

  for (const [changed, message] of [
    [{ listen: '0.0.0.0:8025' }, /listen: 0\.0\.0\.0:8025 can be reached from other machines/],
    [{ listen: '[2001:db8::1]:80' }, /can be reached from other machines, and auth=link/],
    [{ listen: 'unix:/run/x' }, /public_url: empty, but listen is a socket/],
    [{ listen: 'unix:run/x' }, /"unix:run\/x" is not unix:\/PATH/],
    [{ listen: '8025' }, /"8025" is not ADDRESS:PORT: .* such as 127\.0\.0\.1:8025/],
    [{ auth: 'none' }, /"none" is not one of link, proxy/],
    [{ public_url: 'relay.example' }, /is no URL: write https:\/\/HOST/],
    [{ public_url: 'http://relay.example' }, /would send sessions in clear text/],
    [{ public_url: 'javascript:alert(1)' }, /is no URL/],
    [{ public_url: 'https://ann:x@relay.example' }, /has more than a host and a path/],
    [{ public_url: 'https://relay.example/a?b=c' }, /has more than a host and a path/],
    [{ public_url: 'https://relay.example//a' }, /has more than a host and a path/],
    [{ hosts: 'https://relay.example' }, /is not HOST or HOST:PORT/],
    [{ hosts: 'a.example/x' }, /is not HOST or HOST:PORT/],
    [{ read_username: 'r' }, /read_password_file: empty, but read_username is set/],
    [{ user_header: 'X User' }, /"X User" is no name of a header/],
    [{ trusted_proxies: 'proxy.example' }, /is not an IP prefix/],
    [{ ...PROXY, user_header: '' }, /user_header: empty, but auth=proxy/],
    [{ ...PROXY, listen: '127.0.0.1:1' }, /proxy_secret_file: empty, but auth=proxy listens on no/],
    [{ ...PROXY, operators: '' }, /viewers, operators and admins: all empty/],
    [{ ...PROXY, operators: '@mail' }, /groups_header: empty, but a list has a group/],
    [
      { ...PROXY, public_url: '', listen: '0.0.0.0:80', proxy_secret_file: 'x' },
      /public_url: empty, but auth=proxy/,
    ],
  ] as const) {
    it(`with ${JSON.stringify(changed)} has a mistake that says what to do`, () => {
      const { errors } = parse(changed)
      assert.equal(errors.length, 1, errors.join('\n'))
      assert.match(errors[0]!, message)
      assert.match(errors[0]!, /^\[console\] /)
    })
  }
})
