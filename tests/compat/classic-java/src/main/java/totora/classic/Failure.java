package totora.classic;

/** A promise was broken; the text says which. */
final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1;

  Failure(String format, Object... arguments) {
    super(String.format(format, arguments));
  }

  /** What is at the bottom of an exception of the client, without its advertisement. */
  static String reason(Throwable e) {
    Throwable bottom = e;
    while (bottom.getCause() != null) {
      bottom = bottom.getCause();
    }
    return bottom.toString().split("\n")[0].trim();
  }
}
