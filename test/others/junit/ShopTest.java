import static org.junit.jupiter.api.Assertions.assertEquals;

import java.sql.Connection;
import java.sql.SQLException;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

@ExtendWith(Database.class)
@Execution(ExecutionMode.CONCURRENT)
class ShopTest {
  @RepeatedTest(8)
  void hasADatabaseOfItsOwn(Connection shop) throws SQLException {
    try (shop; var statement = shop.createStatement()) {
      var found = statement.executeQuery("select count(*) from jobs");
      found.next();
      assertEquals(100, found.getInt(1));
      statement.execute("delete from jobs");
    }
  }
}
