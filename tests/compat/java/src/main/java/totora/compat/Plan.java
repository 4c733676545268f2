package totora.compat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What to send, as the harness planned it: one line a message, separated by
 * tabs: index, body size, tag, keys with commas, key=value properties with
 * semicolons. Bodies are not in the file; index and seed give them.
 */
record Plan(int index, int size, String tag, List<String> keys, Map<String, String> properties) {

  static List<Plan> read(Path file) throws IOException {
    List<Plan> plans = new ArrayList<>();
    for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
      String[] fields = line.split("\t", -1);
      Map<String, String> properties = new LinkedHashMap<>();
      for (String property : fields[4].split(";")) {
        int equals = property.indexOf('=');
        properties.put(property.substring(0, equals), property.substring(equals + 1));
      }
      plans.add(new Plan(Integer.parseInt(fields[0]), Integer.parseInt(fields[1]), fields[2],
          List.of(fields[3].split(",")), properties));
    }
    return plans;
  }

  /** SHA-256 of "seed:index:block" for block 0, 1, …, cut at the size. */
  byte[] body(String seed) {
    byte[] body = new byte[size];
    for (int block = 0; block * 32 < size; block++) {
      byte[] hash = sha256((seed + ":" + index + ":" + block).getBytes(StandardCharsets.UTF_8));
      System.arraycopy(hash, 0, body, block * 32, Math.min(32, size - block * 32));
    }
    return body;
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
