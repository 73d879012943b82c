// Produces and reads in a group with kafka-clients: java Client.java CONFIGURATION USER TOPIC COUNT
import java.io.FileReader;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Client {
  public static void main(String[] given) throws Exception {
    Properties base = new Properties();
    try (FileReader file = new FileReader(given[0])) {
      base.load(file);
    }
    String topic = given[2];
    int count = Integer.parseInt(given[3]);
    Properties writing = new Properties();
    writing.putAll(base);
    try (var producer = new KafkaProducer<>(writing, new StringSerializer(), new StringSerializer())) {
      for (int n = 0; n < count; n++) {
        producer.send(new ProducerRecord<>(topic, "k" + n, "v" + n)).get();
      }
    }
    if (!given[1].equals("lab")) {
      return;
    }
    Properties reading = new Properties();
    reading.putAll(base);
    reading.put("group.id", topic + "-java");
    reading.put("auto.offset.reset", "earliest");
    TreeSet<String> seen = new TreeSet<>();
    try (var consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (seen.size() < count) {
        consumer.poll(Duration.ofMillis(500)).forEach(record -> seen.add(record.value()));
      }
      consumer.commitSync();
    }
    System.out.println(String.join(" ", seen));
  }
}
