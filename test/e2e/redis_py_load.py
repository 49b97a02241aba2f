"""A load of redis-py at its defaults, but for RESP2: one command after the other until standard input ends.

Prints one line of JSON: how many commands were answered, and the errors.
"""

import json
import sys
import threading

import redis

client = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]), protocol=2)
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()

answered = 0
errors = []
while not stopped.is_set():
    key = f"py:{answered % 1000}"
    try:
        client.set(key, "value") if answered % 4 == 0 else client.get(key)
        answered += 1
    except redis.RedisError as error:
        errors.append(f"{type(error).__name__}: {error}")
    stopped.wait(0.002)
print(json.dumps({"answered": answered, "errors": errors}))
