"""Takes the steps of a file with redis-py at its defaults and prints the replies as JSON.

Arguments: PORT, plain or cluster, the file.
"""

import json
import sys
import threading
import time

import redis

port, mode, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
is_cluster = mode == "cluster"


def open_client():
    kind = redis.RedisCluster if is_cluster else redis.Redis
    return kind(host="127.0.0.1", port=port)


client = open_client()
waiting = open_client()


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, dict):
        return [[plain(key), plain(item)] for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=json.dumps)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Exception):
        return {"error": str(value)}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value


def publish(kind, channel, message):
    if kind == "shard":
        client.spublish(channel, message)
    else:
        client.publish(channel, message)


def hear(kind, name, channel, message):
    prefix = {"channel": "", "pattern": "p", "shard": "s"}[kind]
    pubsub = client.pubsub()
    getattr(pubsub, prefix + "subscribe")(name)
    if kind == "shard" and is_cluster:
        listen = lambda: pubsub.get_sharded_message(timeout=0.2)
    else:
        listen = lambda: pubsub.get_message(timeout=0.2)
    end = time.monotonic() + 20
    published = False
    while time.monotonic() < end:
        heard = listen()
        if heard is None:
            continue
        if "subscribe" in heard["type"] and not published:
            published = True
            publish(kind, channel, message)
        elif heard["type"].endswith("message"):
            pubsub.close()
            return heard
    raise RuntimeError("no message")


def block(words, meanwhile):
    found = []

    def wait():
        try:
            found.append(waiting.execute_command(*words))
        except redis.RedisError as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    client.execute_command(*meanwhile)
    thread.join()
    return found[0]


def batch(commands, transaction):
    pipeline = client.pipeline(transaction=transaction)
    for words in commands:
        pipeline.execute_command(*words)
    # In a transaction of its cluster client redis-py leaves OK as it is; elsewhere it makes True of it.
    return ["OK" if reply is True else reply for reply in pipeline.execute(raise_on_error=False)]


def take(step):
    if "do" in step:
        return client.execute_command(*step["do"])
    if "transaction" in step:
        return batch(step["transaction"], True)
    if "pipeline" in step:
        return batch(step["pipeline"], False)
    if "blocking" in step:
        return block(step["blocking"], step["meanwhile"])
    if "subscribe" in step:
        return hear("channel", step["subscribe"], step["subscribe"], step["message"])
    if "pattern" in step:
        return hear("pattern", step["pattern"], step["channel"], step["message"])
    if "shard" in step:
        return hear("shard", step["shard"], step["shard"], step["message"])
    if "fill" in step:
        for index in range(step["fill"]):
            client.execute_command("SET", f"{step['prefix']}{index}", "v")
        return step["fill"]
    return sorted(client.scan_iter(match=step["scan"]))


with open(file, encoding="utf8") as opened:
    steps = json.load(opened)
replies = []
for step in steps:
    if is_cluster and step.get("plainOnly"):
        continue
    try:
        reply = plain(take(step))
    except redis.RedisError as error:
        reply = {"error": str(error)}
    if step.get("unordered"):
        reply = json.loads(json.dumps(reply))
        if isinstance(reply, list):
            reply = sorted((sorted(item) if isinstance(item, list) else item for item in reply), key=json.dumps)
    replies.append(reply)
print(json.dumps(replies))
