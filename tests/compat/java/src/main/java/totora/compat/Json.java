package totora.compat;

import java.util.List;
import java.util.Map;

/** Just enough JSON to print one event a line; the JDK has none. */
final class Json {
  private Json() {}

  static String object(Map<String, ?> fields) {
    StringBuilder out = new StringBuilder();
    append(out, fields);
    return out.toString();
  }

  private static void append(StringBuilder out, Object value) {
    if (value == null) {
      out.append("null");
    } else if (value instanceof Number || value instanceof Boolean) {
      out.append(value);
    } else if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator);
        append(out, entry.getKey().toString());
        out.append(':');
        append(out, entry.getValue());
        separator = ",";
      }
      out.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof List<?> list) {
      String separator = "[";
      for (Object item : list) {
        out.append(separator);
        append(out, item);
        separator = ",";
      }
      out.append(list.isEmpty() ? "[]" : "]");
    } else {
      appendText(out, value.toString());
    }
  }

  private static void appendText(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20 || c > 0x7e) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
