// Reads vCard files with ez-vcard and prints what it finds, a line for each value, tab-separated:
// file, number of the card in it, property, component, value in base64 of its UTF-8.

import ezvcard.Ezvcard;
import ezvcard.VCard;
import ezvcard.property.*;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Base64;
import java.util.List;

public class EzVcardReader {
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static String place;

    private static void show(String name, String part, byte[] value) {
        String coded = Base64.getEncoder().encodeToString(value);
        OUT.println(place + "\t" + name + "\t" + part + "\t" + coded);
    }

    private static void show(String name, String part, String value) {
        if (value != null && !value.isEmpty()) {
            show(name, part, value.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static void show(String name, String part, List<String> values) {
        for (String value : values) show(name, part, value);
    }

    private static void show(VCardProperty property) {
        String name = property.getClass().getSimpleName();
        if (property instanceof StructuredName n) {
            show(name, "family", n.getFamily());
            show(name, "given", n.getGiven());
            show(name, "additional", n.getAdditionalNames());
            show(name, "prefix", n.getPrefixes());
            show(name, "suffix", n.getSuffixes());
        } else if (property instanceof Address a) {
            show(name, "box", a.getPoBoxes());
            show(name, "extended", a.getExtendedAddresses());
            show(name, "street", a.getStreetAddresses());
            show(name, "locality", a.getLocalities());
            show(name, "region", a.getRegions());
            show(name, "code", a.getPostalCodes());
            show(name, "country", a.getCountries());
        } else if (property instanceof TextListProperty list) {
            show(name, "", list.getValues());
        } else if (property instanceof BinaryProperty<?> binary) {
            if (binary.getData() != null) show(name, "data", binary.getData());
            show(name, "url", binary.getUrl());
        } else if (property instanceof Telephone number) {
            show(name, "", number.getUri() == null ? number.getText() : number.getUri().getNumber());
        } else if (property instanceof Geo geo) {
            show(name, "", geo.getLatitude() + ";" + geo.getLongitude());
        } else if (property instanceof DateOrTimeProperty date) {
            show(name, "date", date.getDate() == null ? null : date.getDate().toInstant().toString());
            show(name, "text", date.getText());
        } else if (property instanceof RawProperty raw) {
            show(raw.getPropertyName().toUpperCase(), "", raw.getValue());
        } else if (property instanceof TextProperty text) {
            show(name, "", text.getValue());
        }
    }

    public static void main(String[] folder) throws Exception {
        for (File file : new File(folder[0]).listFiles()) {
            String text = Files.readString(Paths.get(file.getPath()));
            int number = 0;
            for (VCard card : Ezvcard.parse(text).all()) {
                place = file.getName() + "\t" + number++;
                show("VERSION", "", card.getVersion().getVersion());
                for (VCardProperty property : card) show(property);
            }
        }
        OUT.flush();
    }
}
