// Produces and reads in a group with kafkajs: node kafkajs.mjs BOOTSTRAP USER PASSWORD TOPIC COUNT
import kafkajs from 'kafkajs'

const [bootstrap, username, password, topic, count] = process.argv.slice(2)
const kafka = new kafkajs.Kafka({
  clientId: 'kafkajs',
  brokers: [bootstrap],
  sasl: { mechanism: 'scram-sha-256', username, password },
  logLevel: kafkajs.logLevel.ERROR
})
const producer = kafka.producer()
await producer.connect()
const messages = Array.from({ length: Number(count) }, (_, n) => ({ key: `k${n}`, value: `v${n}` }))
await producer.send({ topic, messages })
await producer.disconnect()
if (username === 'lab') {
  const consumer = kafka.consumer({ groupId: `${topic}-kafkajs` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = []
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(message.value.toString())
        if (seen.length === Number(count)) resolve()
      }
    })
  })
  await consumer.disconnect()
  console.log(seen.sort().join(' '))
}
