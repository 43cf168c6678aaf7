"""A headless Chromium that is spoken to over two pipes (devtools protocol), with the standard library alone."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
# Chromium reads commands from descriptor 3 and answers on 4, each message with a zero byte at its end.
_WRAP = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 20) for fd in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A process; ``with Browser(folder) as browser: page = browser.open(...)``."""

    def __init__(self, folder):
        read, self._out = os.pipe()
        self._in, write = os.pipe()
        command = [sys.executable, '-c', _WRAP, str(read), str(write), CHROMIUM, '--headless=new', '--no-sandbox']
        command += ['--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe', '--no-first-run']
        # What the browser itself would fetch is none of the page's requests; the page's own are seen before they leave.
        command += ['--disable-background-networking', '--disable-component-update', '--disable-extensions']
        command += [f'--user-data-dir={folder}', 'about:blank']
        self._process = subprocess.Popen(
            command, pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(read)
        os.close(write)
        self._count, self._buffer, self.events = 0, b'', []

    def __enter__(self):
        return self

    def __exit__(self, *about):
        try:
            self.send('Browser.close')
            self._process.wait(10)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, method, session=None, **params):
        """A command; returns its answer, and keeps the events that came before it."""
        self._count += 1
        message = {'id': self._count, 'method': method, 'params': params, **({'sessionId': session} if session else {})}
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._next(60)
            if answer.get('id') == self._count:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']

    def _next(self, seconds):
        end = time.monotonic() + seconds
        while b'\0' not in self._buffer:
            if not select.select([self._in], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError('Chromium does not answer.')
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise RuntimeError('Chromium has ended.')
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(text)
        if 'id' not in message:
            self.events.append(message)
        return message

    def open(self, path, width=1280, height=900, scheme='light', scripts=True):
        """A page in a view of its own, loaded and drawn."""
        return Page(self, path, width, height, scheme, scripts)

    def wait(self, session, method):
        """Until an event has come."""
        while not any(event.get('sessionId') == session and event['method'] == method for event in self.events):
            self._next(60)


class Page:
    """What one open page did and shows."""

    def __init__(self, browser, path, width, height, scheme, scripts):
        self.browser, self.url, self._scripts = browser, path.resolve().as_uri(), scripts
        target = browser.send('Target.createTarget', url='about:blank')['targetId']
        self.session = browser.send('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Network', 'Runtime', 'Log'):
            self.send(f'{domain}.enable')
        self.send('Emulation.setScriptExecutionDisabled', value=not scripts)
        phone = width < 600
        self.send('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=2, mobile=phone)
        self.scheme(scheme)
        self.send('Page.navigate', url=self.url)
        browser.wait(self.session, 'Page.loadEventFired')
        self.settle()

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def scheme(self, scheme):
        """Light or dark, as the system of the reader says."""
        self.send('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])

    def settle(self):
        """Two frames, so that what was asked for is drawn."""
        if not self._scripts:  # and no timer runs
            return
        frames = 'requestAnimationFrame(() => requestAnimationFrame(done))'
        self.value(f'new Promise((done) => setTimeout(() => {frames}, 50))')

    def value(self, expression):
        """Of an expression of JavaScript in the page."""
        found = self.send('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in found:
            raise RuntimeError(f'{expression}: {found["exceptionDetails"]}')
        return found['result'].get('value')

    def middle(self, selector):
        """Of an element, scrolled into view: (x, y)."""
        place = f'document.querySelector({json.dumps(selector)})'
        self.value(f'{place}.scrollIntoView({{block: "center"}})')
        self.settle()
        sides = self.value(f'{place}.getBoundingClientRect().toJSON()')
        return sides['x'] + sides['width'] / 2, sides['y'] + sides['height'] / 2

    def drag(self, selector, across, down=0):
        """Press the mouse on the middle of an element, move, and let go."""
        x, y = self.middle(selector)
        self._mouse('mousePressed', x, y)
        for i in range(1, 5):
            self._mouse('mouseMoved', x + across * i / 4, y + down * i / 4)
        self._mouse('mouseReleased', x + across, y + down)
        self.settle()

    def double_click(self, selector):
        """Twice on the middle of an element."""
        x, y = self.middle(selector)
        for count in (1, 2):
            self._mouse('mousePressed', x, y, count)
            self._mouse('mouseReleased', x, y, count)
        self.settle()

    def _mouse(self, kind, x, y, count=1):
        about = {'button': 'left', 'buttons': int(kind != 'mouseReleased'), 'clickCount': count}
        self.send('Input.dispatchMouseEvent', type=kind, x=x, y=y, **about)

    def swipe(self, selector, across, down=0):
        """The same by a finger."""
        x, y = self.middle(selector)
        self.send('Input.dispatchTouchEvent', type='touchStart', touchPoints=[{'x': x, 'y': y}])
        for i in range(1, 9):
            at = {'x': x + across * i / 8, 'y': y + down * i / 8}
            self.send('Input.dispatchTouchEvent', type='touchMove', touchPoints=[at])
        self.send('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])
        self.settle()

    def key(self, name):
        """Press a key on what has the focus."""
        for kind in ('keyDown', 'keyUp'):
            self.send('Input.dispatchKeyEvent', type=kind, key=name, code=name)
        self.settle()

    def frames(self):
        """What each canvas shows, as text to compare."""
        return self.value('[...document.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL())')

    def ink(self):
        """Share of each canvas that something is drawn on."""
        return self.value(
            '[...document.querySelectorAll("canvas")].map((canvas) => { const {width, height} = canvas;'
            'const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;'
            'let count = 0; for (let i = 3; i < pixels.length; i += 4) count += pixels[i] > 0;'
            'return count / (width * height); })'
        )

    def overflow(self):
        """CSS pixels by which the page is wider than its window."""
        return self.value('document.documentElement.scrollWidth - document.documentElement.clientWidth')

    @property
    def events(self):
        return [event for event in self.browser.events if event.get('sessionId') == self.session]

    def requests(self):
        """Addresses that the page asked for beside itself and what is written in it, also those that were refused."""
        asked = [e['params']['request']['url'] for e in self.events if e['method'] == 'Network.requestWillBeSent']
        asked += [e['params']['url'] for e in self.events if e['method'] == 'Network.webSocketCreated']
        refused = [text for text in self._said() if 'Content Security Policy' in text]
        return [url for url in asked if url != self.url and not url.startswith('data:')] + refused

    def failures(self):
        """Exceptions that nobody caught, and what was logged as an error."""
        thrown = [
            e['params']['exceptionDetails'].get('exception', {}).get('description', 'exception')
            for e in self.events
            if e['method'] == 'Runtime.exceptionThrown'
        ]
        return thrown + self._said()

    def _said(self):
        entries = [e['params']['entry'] for e in self.events if e['method'] == 'Log.entryAdded']
        said = [entry['text'] for entry in entries if entry['level'] == 'error']
        calls = [e['params'] for e in self.events if e['method'] == 'Runtime.consoleAPICalled']
        return said + [str(call['args']) for call in calls if call['type'] in ('error', 'assert')]

    def screenshot(self, path):
        """The whole page as PNG."""
        size = self.send('Page.getLayoutMetrics')['cssContentSize']
        clip = {
            'x': 0,
            'y': 0,
            'width': size['width'],
            'height': size['height'],
            'scale': 0.5 if size['width'] > 600 else 1,
        }
        data = self.send('Page.captureScreenshot', captureBeyondViewport=True, clip=clip)['data']
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
