import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'

/**
 * A script for `preload` that gives a Haraka its own internet: it resolves names with this server, and reaches port
 * 25 of every host at 127.0.0.1 and this port.
 */
export function internet(place: { readonly dns: string; readonly smtp: number }): string {
  const file = path.join(scratchDir('internet'), 'internet.js')
  writeFileSync(file, source(place.dns, place.smtp))
  return file
}

const source = (dns: string, smtp: number): string => `
'use strict'
const { promises } = require('node:dns')
const { Socket } = require('node:net')

promises.Resolver = class extends promises.Resolver {
  constructor(options) {
    super(options)
    this.setServers(['${dns}'])
  }
}

const { connect } = Socket.prototype
Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (options?.port === 25) Object.assign(options, { host: '127.0.0.1', port: ${smtp} })
  return connect.apply(this, args)
}
`
