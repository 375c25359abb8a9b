// What a browser adds to the pages, which work without it: times in the zone of the reader, a pause of updates, a mark when
// updates have stopped, and buttons that copy commands.
'use strict'

const page = document.documentElement
page.classList.add('script')
// Absent where the console is served over http by another name than localhost.
if (navigator.clipboard) page.classList.add('clipboard')

const live = document.getElementById('live')
const updates = document.getElementById('updates')
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z$/

/** Shows times in the zone of the reader, to the second or minute that they have; UTC on hover. */
function localTimes() {
  for (const element of document.getElementsByTagName('time')) {
    const text = element.textContent.trim()
    if (!UTC.test(text)) continue
    element.title = text
    element.textContent = local(new Date(element.dateTime), text.length - 1)
  }
}

/** @param length of the time without its zone. */
function local(time, length) {
  const offset = -time.getTimezoneOffset()
  const shifted = new Date(time.getTime() + offset * 60_000).toISOString()
  const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, '0')
  const zone = `${offset < 0 ? '−' : '+'}${two(offset / 60)}:${two(offset % 60)}`
  return `${shifted.slice(0, length).replace('T', ' ')} ${zone}`
}

/** Copies the command before a button. */
async function copy(button) {
  await navigator.clipboard.writeText(button.previousElementSibling.textContent.trim())
  button.textContent = 'Copied'
  say('The command was copied.')
}

/** For screen readers. */
function say(text) {
  let line = document.getElementById('said')
  if (!line) {
    line = Object.assign(document.createElement('p'), { id: 'said', className: 'hidden' })
    line.setAttribute('role', 'status')
    document.body.append(line)
  }
  line.textContent = text
}

let isPaused = false
let isSignedOut = false

/** @param why updates have stopped; empty: they have not. */
function stopped(why) {
  updates.classList.toggle('trouble', why !== '')
  const [line] = updates.children
  if (line.textContent !== why) line.textContent = why
}

function updated() {
  stopped('')
  const [time] = updates.getElementsByTagName('time')
  time.dateTime = new Date().toISOString()
  time.textContent = `${time.dateTime.slice(0, 19)}Z`
  localTimes()
}

function ask() {
  htmx.trigger(live, 'every')
}

function pause(button) {
  isPaused = !isPaused
  button.setAttribute('aria-pressed', String(isPaused))
  if (!isPaused) ask()
}

localTimes()
document.addEventListener('click', ({ target }) => {
  const button = target.closest('button')
  if (button?.classList.contains('copy')) void copy(button)
  if (button?.classList.contains('pause')) pause(button)
})

if (updates) {
  document.addEventListener('htmx:before:request', (event) => {
    if (document.hidden || isPaused || isSignedOut) event.preventDefault()
  })
  document.addEventListener('htmx:before:response', (event) => {
    const { status, headers } = event.detail.ctx.response
    if (status === 304 || headers.has('hx-ptag')) return updated()
    // An error, or the page of a proxy that wants the reader to sign in: neither belongs into this page.
    event.preventDefault()
    isSignedOut = status === 401
    stopped(
      isSignedOut
        ? 'You are signed out, and updates have stopped. Load the page again.'
        : 'Updates have stopped: the console answers with an error. Load the page again.',
    )
  })
  document.addEventListener('htmx:error', () => {
    stopped('Updates have stopped: the console does not answer.')
  })
  document.addEventListener('htmx:after:swap', localTimes)
  document.addEventListener('visibilitychange', () => {
    isSignedOut = false
    if (!document.hidden) ask()
  })
}
